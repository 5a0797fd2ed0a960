"""What makes the data of each kind of problem. Adding one: its spec, a function, a row here."""

from collections.abc import Callable
from typing import Any

from .. import drawnspecs as drawn
from .. import externalspecs as external
from .. import latentspecs as latent
from .. import objectivespecs as objective
from ..convexspecs import Logistic
from ..fitspecs import GaussianFit
from ..gamespecs import Ring
from ..problemparts import ProblemPart
from ..problemspecs import BundledProblem, Diabetes, GaussianInputs
from .bundled import bundled, diabetes
from .data import Data
from .digits import sequential_digits, teacher
from .external import file, tabular
from .figures import shapes
from .generated import gaussian_inputs
from .images import images
from .latent import digit_images, low_rank_gaussian
from .logistic import logistic
from .mnist1d import mnist1d
from .objectives import noisy, quadratic_deep
from .planar import linear, spirals, two_moons
from .ring import ring
from .sequences import adding, copy

LOADERS: dict[type[ProblemPart], Callable[[Any], Data]] = {
    BundledProblem: bundled,
    Diabetes: diabetes,
    GaussianInputs: gaussian_inputs,
    drawn.Linear: linear,
    drawn.TwoMoons: two_moons,
    drawn.Spirals: spirals,
    drawn.Mnist1d: mnist1d,
    drawn.Shapes: shapes,
    drawn.Teacher: teacher,
    drawn.SequentialDigits: sequential_digits,
    drawn.Copy: copy,
    drawn.Adding: adding,
    external.File: file,
    external.OpenMl: tabular,
    external.ImageSet: images,
    Logistic: logistic,
    objective.Quadratic: noisy,
    objective.QuadraticDeep: quadratic_deep,
    objective.Saddle: noisy,
    objective.Rosenbrock: noisy,
    objective.Beale: noisy,
    GaussianFit: noisy,
    latent.DigitImages: digit_images,
    latent.LowRankGaussian: low_rank_gaussian,
    Ring: ring,
}
