"""Problems by name. Importing this costs neither torch nor scikit-learn; ``load`` pays for them.

``spec`` reads the set sizes in ``shapes``; everything heavy is imported when data is wanted.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..spec import BundledProblem, GaussianInputs
    from .data import Data


def load(spec: "BundledProblem | GaussianInputs") -> "Data":
    """The data of a problem, always the same for the same spec."""
    from ..spec import GaussianInputs
    from .bundled import bundled
    from .generated import gaussian_inputs

    return gaussian_inputs(spec) if isinstance(spec, GaussianInputs) else bundled(spec)
