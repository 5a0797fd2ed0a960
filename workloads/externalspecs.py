"""Problems whose data come from outside: the user's files, OpenML, published image sets.

Torch-free. What is not known without looking (sizes, classes) is read when it is asked for.
"""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .parts import Count
from .problemparts import ProblemPart, SplitProblem
from .problems.shapes import Shape, Task

if TYPE_CHECKING:
    from .problems.tables import Table, Wanted

FORMATS = (".csv", ".parquet", ".npz")
Standardise = Field(
    default=True,
    description="whether inputs, and numbers to predict, get mean 0 and deviation 1 on the "
    "training split",
)


class TableProblem(SplitProblem):
    """A table: one column is to be predicted from the others. Columns of words become one input
    for each word; missing values are refused.
    """

    target: str | None = Field(default=None, description="column to be predicted")
    kind: Literal["auto", "classification", "regression"] = Field(
        default="auto",
        description="auto: words, truth values and whole numbers of at most 20 kinds are classes, "
        "other numbers are to be predicted as such",
    )
    without: tuple[str, ...] = Field(
        default=(), strict=False, description="columns that are left out"
    )
    standardise: bool = Standardise
    source: str = Field(default="", description="hash of the content; filled in")

    @property
    @abstractmethod
    def table(self) -> "Table":
        """The content as numbers."""

    @property
    def wanted(self) -> "Wanted":
        """What the table is to become."""
        from .problems.tables import Wanted

        return Wanted(self.target, self.kind, self.without)

    @abstractmethod
    def is_here(self) -> bool:
        """Whether the content that was planned with can be looked at on this machine."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        # A trial read back from a store need not have its data beside it.
        if self.is_here() and not 2 <= self.train_samples < self.shape.samples:
            raise ValueError(
                f"{self.shape.samples} rows and test_share {self.test_share} leave "
                f"{self.train_samples} for training, and at least 2 are needed, and one for testing"
            )
        return self

    @property
    def usual(self) -> Mapping[str, str]:  # type: ignore[override]  # as for the task
        """Numbers are predicted with mse."""
        return {} if self.table.classes else {"loss": "mse"}

    @property
    def task(self) -> Task:  # type: ignore[override]  # not of the class: it depends on the table
        """Classification where there are classes, else regression."""
        return Task.CLASSIFICATION if self.table.classes else Task.REGRESSION

    @property
    def shape(self) -> Shape:
        """Rows, inputs, and classes or numbers."""
        samples, features = self.table.x.shape
        return Shape(samples, features, len(self.table.classes) or self.table.y.shape[1])


class File(TableProblem):
    """A file of the user's own: CSV, Parquet, or NPZ with arrays ``x`` and ``y``.

    The content is part of the trial's identity (``source``): a changed file is another trial.
    """

    name: Literal["file"]
    path: str = Field(description="the file, from the folder where talweg starts")

    @model_validator(mode="before")
    @classmethod
    def _fill_source(cls, value: Any) -> Any:
        path = value.get("path") if isinstance(value, dict) else None
        if not isinstance(path, str) or "source" in value:
            return value
        if Path(path).suffix not in FORMATS:
            raise ValueError(f"{path!r} is not one of {', '.join(FORMATS)}")
        from .problems.tables import digest_of

        return {"source": digest_of(Path(path)), **value}

    def is_here(self) -> bool:
        """See :class:`TableProblem`."""
        from .problems.tables import digest_of

        return Path(self.path).is_file() and digest_of(Path(self.path)) == self.source

    @property
    def table(self) -> "Table":
        """The content as numbers."""
        from .problems.tables import read

        return read(Path(self.path), self.source, self.wanted)


class OpenMl(TableProblem):
    """A data set of openml.org by its number; fetched when it is planned with first."""

    name: Literal["openml"]
    id: Count = Field(description="number of the data set; each version has its own")

    @model_validator(mode="before")
    @classmethod
    def _fill_source(cls, value: Any) -> Any:
        number = value.get("id") if isinstance(value, dict) else None
        if not isinstance(number, int) or number < 1 or "source" in value:
            return value
        from .problems.downloads import DataUnavailable
        from .problems.openml import digest_of

        try:
            return {"source": digest_of(number), **value}
        except DataUnavailable as error:
            raise ValueError(str(error)) from error

    def is_here(self) -> bool:
        """See :class:`TableProblem`."""
        from .problems.openml import here

        return here(self.id)

    @property
    def table(self) -> "Table":
        """The content as numbers."""
        from .problems.openml import read

        return read(self.id, self.wanted)


class ImageSet(ProblemPart):
    """A published set of images; its files are downloaded when it is trained on first.

    Pixels are divided by 255.
    """

    name: Literal["mnist", "fashion_mnist", "cifar10"]
    samples: Count | None = Field(
        default=None, description="training samples, the first of the file; null: all"
    )
    standardise: bool = Field(
        default=False,
        description="whether each channel gets mean 0 and deviation 1 on the training samples",
    )

    PUBLISHED: ClassVar = {
        "mnist": (60_000, 10_000),
        "fashion_mnist": (60_000, 10_000),
        "cifar10": (50_000, 10_000),
    }

    @model_validator(mode="after")
    def _not_more_than_there_are(self) -> Self:
        most = self.published[0]
        if self.samples is not None and self.samples > most:
            raise ValueError(f"{self.name} has {most} training samples; use that many at most")
        return self

    @property
    def published(self) -> tuple[int, int]:
        """Training and test samples of the files."""
        return self.PUBLISHED[self.name]

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return (3, 32, 32) if self.name == "cifar10" else (1, 28, 28)

    @property
    def shape(self) -> Shape:
        """Images of ten classes."""
        channels, height, width = self.image
        samples = self.train_samples + self.published[1]
        return Shape(samples, channels * height * width, 10, self.image)

    @property
    def train_samples(self) -> int:
        """Samples in the training split."""
        return self.samples or self.published[0]
