"""The convolution of a layer, for every model of images. K trials, B samples, C in, O out.

K convolutions are one convolution of K groups: the channels of all trials side by side.
"""

from collections.abc import Callable

import torch
from torch.nn import functional

AROUND = {"zeros": "constant", "circular": "circular"}
"""What a spec calls what lies around an image -> what torch calls it."""


def beside(h_KBCHW: torch.Tensor) -> torch.Tensor:
    """The channels of all trials side by side, (B, K·C, H, W)."""
    return h_KBCHW.transpose(0, 1).flatten(1, 2)


def apart(h: torch.Tensor, k: int) -> torch.Tensor:
    """(B, K·C, H, W) taken apart again, (K, B, C, H, W)."""
    taken: torch.Tensor = h.unflatten(1, (k, -1)).transpose(0, 1)
    return taken


def convolve(
    h_KBCHW: torch.Tensor,
    w_KOCkk: torch.Tensor,
    b_KO: torch.Tensor,
    around: str,
    stride: int = 1,
) -> torch.Tensor:
    """h ∗ W + b for each trial, (K, B, O, ⌈H/stride⌉, ⌈W/stride⌉); kernels have odd sides.

    Inductor fixes the number of groups at the K that it was shown: no artefact for packs of every
    size comes of this, and a product of unfolded patches, of which one would, takes 1.5 to 2
    times as long as the tape (measured). Nets of convolutions are therefore not compiled.
    """
    k, side = w_KOCkk.shape[0], w_KOCkk.shape[-1] // 2
    h = beside(h_KBCHW)
    if side:
        h = functional.pad(h, (side,) * 4, AROUND[around])
    z = functional.conv2d(h, w_KOCkk.flatten(0, 1), b_KO.flatten(), stride, groups=k)
    return apart(z, k)


def pool(h_KBCHW: torch.Tensor, over: Callable[[torch.Tensor, int], torch.Tensor]) -> torch.Tensor:
    """2×2 windows of stride 2; a last row or column that fills no window is left out."""
    return apart(over(beside(h_KBCHW), 2), h_KBCHW.shape[0])


def doubled(h_KBCHW: torch.Tensor) -> torch.Tensor:
    """Each pixel four times: twice as high and wide (nearest-neighbour upsampling)."""
    *_, height, width = h_KBCHW.shape
    h = h_KBCHW[..., :, None, :, None].expand(*h_KBCHW.shape[:-1], 2, width, 2)
    return h.reshape(*h_KBCHW.shape[:-2], 2 * height, 2 * width)
