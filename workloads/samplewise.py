"""Which trials' gradients can be taken apart into gradients of single samples, and how."""

import enum
from collections.abc import Sequence

import torch
from torch import nn

from .labelspecs import Contrastive, Triplet
from .models import Model
from .models.gan import Gan
from .models.mlp import Mlp
from .models.module import Module
from .models.taps import totals
from .probespecs import Noise, Probe
from .spec import TrialSpec


class Samplewise(enum.Enum):
    """What there is of gradients of single samples."""

    TAPPED = "norms and squares, from a layer's inputs and δ (multilayer perceptrons)"
    MAPPED = "the gradients themselves, by vmap over samples, or one after the other"
    BATCHES = "gradients of batches only: a sample's loss depends on the others of its batch"
    NONE = "nothing that a noise scale is defined for"


def samplewise(trial: TrialSpec, model: Model) -> Samplewise:
    """What there is of a trial's.

    A batch norm, and a loss over pairs or all triplets, needs batches. Mined triplets follow
    another loss in each size of batch, and the two players of a game follow no loss: of these
    there is nothing.
    """
    loss = trial.loss
    if isinstance(model, Gan) or (isinstance(loss, Triplet) and loss.mining != "all"):
        return Samplewise.NONE
    if isinstance(loss, Contrastive | Triplet) or normalises_batches(trial, model):
        return Samplewise.BATCHES
    return Samplewise.TAPPED if isinstance(model, Mlp) else Samplewise.MAPPED


def normalises_batches(trial: TrialSpec, model: Model) -> bool:
    """Whether a sample's outputs depend on the others of its batch."""
    if isinstance(model, Module):
        modules = model.net.modules()
        return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in modules)
    return getattr(trial.model, "norm", None) == "batch"


def in_every_update(probes: Sequence[Probe], trial: TrialSpec, model: Model) -> bool:
    """Whether updates are to give the norms of their samples' gradients, and can."""
    wanted = any(isinstance(probe, Noise) and probe.every_update for probe in probes)
    return wanted and trial.batch_size > 1 and samplewise(trial, model) is Samplewise.TAPPED


def unbiased(batch_size: int, like: torch.Tensor) -> torch.Tensor:
    """What makes (tr Σ, |G|²) of (Σ_i ‖g_i‖², ‖G‖²) of gradients g_i with mean G, (2, 2).

    tr Σ = Σ‖g_i − G‖²/(B − 1), |G|² = ‖G‖² − tr Σ/B, both without bias (McCandlish et al. 2018,
    appendix A). They are linear in what is given: of sums over batches they are sums.
    """
    b = batch_size
    rows = [[1 / (b - 1), -b / (b - 1)], [-1 / (b * (b - 1)), b / (b - 1)]]
    return torch.tensor(rows, dtype=torch.float64, device=like.device)


def sums_of(
    norms: tuple[torch.Tensor, torch.Tensor], x_UKB: torch.Tensor, model: Model
) -> torch.Tensor:
    """Σ_i ‖g_i‖² and ‖G‖² summed over U updates, (2, K), in float64.

    Args:
        norms: what the updates gave, see :mod:`.step`.
        x_UKB: norms of their samples.
        model: a net with taps.
    """
    assert isinstance(model, Mlp)  # see in_every_update
    norms_UKM, grads_UPK = norms
    share_K = totals(norms_UKM, x_UKB, len(model.layers), bias=model.bias)
    mean_K = grads_UPK.square().sum((0, 1), dtype=torch.float64)
    # A sample's share of the mean gradient is 1/B of its own.
    return torch.stack([share_K * x_UKB.shape[2] ** 2, mean_K])
