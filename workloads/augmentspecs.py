"""What is done to training samples before a net sees them; torch-free."""

from typing import Annotated, Literal

from pydantic import Field

from .parts import Count, Named, Part


class Plain(Part):
    """Nothing."""

    name: Literal["none"] = "none"


class Shift(Part):
    """Each training image at a random place, drawn anew for every epoch.

    What leaves the image at one side comes in at the other. Images to be segmented take their
    masks along. Training losses and scores are measured on the images as they are.
    """

    name: Literal["shift"]
    pixels: Count = Field(
        default=1, description="at most so many up or down and left or right, drawn uniformly"
    )


Augmentation = Annotated[Plain | Shift, Field(discriminator="name"), Named("shift")]
