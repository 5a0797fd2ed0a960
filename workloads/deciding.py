"""When a sweep has enough seeds: the key ``until_decided`` of a grid file; torch-free."""

from typing import Annotated, Literal

from pydantic import Field

from .parts import Part, Positive

Measured = Literal["train_loss", "test_loss", "train_score", "test_score"]


class UntilDecided(Part):
    """The sequential rule by which a sweep adds seeds; docs/enough-seeds.md has its proof."""

    decide: Literal["best", "order"] = Field(
        default="best",
        description="best: who is ahead of all others; order: who is ahead in every pair",
    )
    max_seeds: Annotated[int, Field(ge=5, le=10_000)] = Field(
        default=30, description="the cap: seeds that judge each setting, at most"
    )
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        default=0.05,
        description="chance of a single wrong claim, over all comparisons and looks together",
    )
    margin: Positive | None = Field(
        default=None,
        description="a difference shown to be smaller counts as none: a share of the smaller "
        "value (0.05 is 5 %) for losses and errors, a difference for scores; null: never",
    )
    compare: list[str] = Field(
        default=[],
        description="keys of the grid whose values are compared; empty: those of the study",
    )
    metric: Measured | None = Field(
        default=None, description="what they are compared by; null: the study's, else train_loss"
    )
