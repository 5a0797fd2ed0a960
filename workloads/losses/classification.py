"""Classification losses over class logits; K trials, B samples, S labels a sample, C classes.

Targets are labels (K, B), or (K, B, S) where a sample asks for several: its outputs are then
S·C numbers, and its loss is the mean over its labels. Where there are two classes, some losses
take one logit for each label, C = 1, that of class 1. All are finite for logits of ±1e4.
"""

import functools

import torch
from torch.nn.functional import logsigmoid

from .criterion import Values


def each_label(values: Values) -> Values:
    """Take outputs of S·C numbers apart, and average what ``values`` says of each label."""

    @functools.wraps(values)
    def apply(output_KBC: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if target.ndim == 2:
            return values(output_KBC, target)
        return values(output_KBC.unflatten(-1, (target.shape[-1], -1)), target).mean(-1)

    return apply


@each_label
def cross_entropy(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """Softmax cross-entropy of every sample in nats, (K, B); uniform logits give ln C.

    Safe for logits of ±1e4: the log-sum-exp subtracts the maximum first.
    Source: Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.108.
    """
    # −log softmax(z)_y = logsumexp(z) − z_y
    return torch.logsumexp(logits_KBC, -1) - picked(logits_KBC, target_KB)


def smoothed_cross_entropy(smoothing: float) -> Values:
    """Cross-entropy with ε of each target's weight spread over all C classes, (K, B).

    As torch.nn.CrossEntropyLoss does it. Source: Szegedy et al. (2016), section 7.
    """
    if not smoothing:
        return cross_entropy

    @each_label
    def loss(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
        # logsumexp(z) − (1 − ε) z_y − ε mean(z)
        aimed_KB = torch.lerp(picked(logits_KBC, target_KB), logits_KBC.mean(-1), smoothing)
        return torch.logsumexp(logits_KBC, -1) - aimed_KB

    return loss


@each_label
def binary_cross_entropy(logit_KB1: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """−log σ(z) of label 1, −log(1 − σ(z)) of label 0, in nats, (K, B).

    Source: Bishop (2006), eq. 4.90.
    """
    # Not softplus(z) − yz, which loses what little loss a sure and right logit has.
    return -logsigmoid(logit_KB1.squeeze(-1) * signs(logit_KB1, target_KB))


def hinge(multiclass: str) -> Values:
    """Margins of at least one, (K, B).

    One logit: max(0, 1 − tz), t = ±1 (Cortes and Vapnik 1995). More classes:
    ``crammer_singer`` takes the largest violation, max(0, 1 + max_{j≠y} z_j − z_y) (Crammer and
    Singer 2001); ``weston_watkins`` sums them, Σ_{j≠y} max(0, 1 + z_j − z_y) (Weston and Watkins
    1999), which is C times torch.nn.MultiMarginLoss.
    """

    @each_label
    def loss(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
        if logits_KBC.shape[-1] == 1:
            return torch.relu(1 - logits_KBC.squeeze(-1) * signs(logits_KBC, target_KB))
        own = is_target(logits_KBC, target_KB)
        violation_KBC = 1 + logits_KBC - picked(logits_KBC, target_KB).unsqueeze(-1)
        if multiclass == "crammer_singer":
            return torch.relu(violation_KBC.masked_fill(own, -torch.inf).amax(-1))
        return torch.relu(violation_KBC).masked_fill(own, 0).sum(-1)

    return loss


@each_label
def squared_error(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """Half the squared error of the probabilities, (K, B).

    One logit: ½(σ(z) − y)². More classes: ½ Σ_c (softmax(z)_c − [c = y])², half the score of
    Brier (1950), who leaves the ½ out. Its gradient vanishes where the net is sure and wrong.
    """
    if logits_KBC.shape[-1] == 1:
        # |σ(z) − y| = σ(−tz), t = ±1
        wrong_KB = torch.sigmoid(-logits_KBC.squeeze(-1) * signs(logits_KBC, target_KB))
        return wrong_KB.square() / 2
    error_KBC = logits_KBC.softmax(-1) - is_target(logits_KBC, target_KB).to(logits_KBC.dtype)
    return error_KBC.square().sum(-1) / 2


def focal(gamma: float) -> Values:
    """−(1 − p_y)^γ log p_y with p = softmax(z), (K, B); γ = 0 is cross-entropy.

    Source: Lin et al. (2017), eq. 4, without their class weight α.
    """

    @each_label
    def loss(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
        total_KB = torch.logsumexp(logits_KBC, -1)
        # log(1 − p_y) from the other classes: 1 − p_y itself would round to 0, and so would all
        # that is left of the loss and of its gradient.
        others_KBC = logits_KBC.masked_fill(is_target(logits_KBC, target_KB), -torch.inf)
        missing_KB = torch.logsumexp(others_KBC, -1) - total_KB
        return (gamma * missing_KB).exp() * (total_KB - picked(logits_KBC, target_KB))

    return loss


def accuracy(logits_KBC: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Share of labels whose largest logit, the first of equal ones, is the target's; (K,).

    One logit means class 1 where it is above 0. NaN is never right.
    """
    return right(logits_KBC, target).mean(1)


@each_label
def right(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """1 where the target's logit is the largest, the first of equal ones, else 0; (K, B)."""
    # What argmax finds, in operations that vectorise: argmax over few classes is 6 times slower.
    classes = logits_KBC.shape[-1]
    if classes == 1:
        z_KB = logits_KBC.squeeze(-1)
        return torch.where(target_KB == 1, z_KB > 0, z_KB <= 0).to(logits_KBC.dtype)
    countdown_C = torch.arange(classes, 0, -1, device=logits_KBC.device, dtype=torch.int32)
    largest_KBC = logits_KBC == logits_KBC.amax(-1, keepdim=True)
    first_KB = classes - torch.where(largest_KBC, countdown_C, 0).amax(-1)
    return (first_KB == target_KB).to(logits_KBC.dtype)


def picked(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """The target's logit, z_y, (K, B)."""
    return logits_KBC.gather(-1, target_KB.unsqueeze(-1)).squeeze(-1)


def is_target(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """[c = y], (K, B, C), bool."""
    classes_C = torch.arange(logits_KBC.shape[-1], device=logits_KBC.device)
    return target_KB.unsqueeze(-1) == classes_C


def signs(logit_KB1: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """t = 2y − 1 of labels 0 and 1, (K, B), in the logits' type."""
    return 2 * target_KB.to(logit_KB1.dtype) - 1
