"""Segmentation losses; K trials, B images, P pixels. z: a logit for each pixel, y: 0 or 1.

p = σ(z). A net's mask is where z > 0.
"""

import torch
from torch.nn.functional import logsigmoid

from .criterion import Values


def pixel_cross_entropy(logit_KBP: torch.Tensor, target_KBP: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, the mean over an image's pixels, in nats, (K, B).

    Source: Bishop (2006), eq. 4.90.
    """
    return -logsigmoid(logit_KBP * (2 * target_KBP - 1)).mean(-1)


def dice(smooth: float) -> Values:
    """1 − (2 Σpy + s) / (Σp + Σy + s) of each image, (K, B).

    s, above 0, keeps images without any foreground defined. Source: Drozdzal et al. (2016);
    Milletari et al. (2016) square the terms of the divisor.
    """

    def loss(logit_KBP: torch.Tensor, target_KBP: torch.Tensor) -> torch.Tensor:
        both_KB, sum_KB = _overlap(logit_KBP.sigmoid(), target_KBP)
        return 1 - (2 * both_KB + smooth) / (sum_KB + smooth)

    return loss


def iou(smooth: float) -> Values:
    """1 − (Σpy + s) / (Σp + Σy − Σpy + s) of each image, (K, B).

    Source: Rahman and Wang (2016), who have no s.
    """

    def loss(logit_KBP: torch.Tensor, target_KBP: torch.Tensor) -> torch.Tensor:
        both_KB, sum_KB = _overlap(logit_KBP.sigmoid(), target_KBP)
        return 1 - (both_KB + smooth) / (sum_KB - both_KB + smooth)

    return loss


def dice_cross_entropy(smooth: float, dice_weight: float) -> Values:
    """w · Dice loss + (1 − w) · pixel cross-entropy, (K, B). Source: Isensee et al. (2018)."""
    of_regions = dice(smooth)

    def loss(logit_KBP: torch.Tensor, target_KBP: torch.Tensor) -> torch.Tensor:
        regions_KB = of_regions(logit_KBP, target_KBP)
        return torch.lerp(pixel_cross_entropy(logit_KBP, target_KBP), regions_KB, dice_weight)

    return loss


def hard_iou(logit_KBP: torch.Tensor, target_KBP: torch.Tensor) -> torch.Tensor:
    """|A ∩ B| / |A ∪ B| of the masks, mean over images, (K,); 1 where both are empty."""
    both_KB, sum_KB = _overlap((logit_KBP > 0).to(logit_KBP.dtype), target_KBP)
    return _share(both_KB, sum_KB - both_KB)


def hard_dice(logit_KBP: torch.Tensor, target_KBP: torch.Tensor) -> torch.Tensor:
    """2 |A ∩ B| / (|A| + |B|) of the masks, mean over images, (K,); 1 where both are empty.

    Source: Dice (1945).
    """
    both_KB, sum_KB = _overlap((logit_KBP > 0).to(logit_KBP.dtype), target_KBP)
    return _share(2 * both_KB, sum_KB)


def _overlap(p_KBP: torch.Tensor, target_KBP: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Σpy, and Σp + Σy, of each image, (K, B) each."""
    return (p_KBP * target_KBP).sum(-1), p_KBP.sum(-1) + target_KBP.sum(-1)


def _share(part_KB: torch.Tensor, whole_KB: torch.Tensor) -> torch.Tensor:
    """Mean of part / whole over the images, (K,), where nothing of nothing is all."""
    return torch.where(whole_KB > 0, part_KB / whole_KB, 1).mean(1)
