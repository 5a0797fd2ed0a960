"""Problems by name. Importing this costs neither torch nor scikit-learn; ``load`` pays for them.

``problemspecs`` reads the set sizes in ``shapes``; everything heavy is imported when data is
wanted.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..problemparts import ProblemPart
    from .data import Data


def load(spec: "ProblemPart") -> "Data":
    """The data of a problem, always the same for the same spec."""
    from .loaders import LOADERS

    return LOADERS[type(spec)](spec)
