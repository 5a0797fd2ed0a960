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


Pooling = Callable[[torch.Tensor, str], torch.Tensor]
"""(B, C, H, W) and what lies around the images -> images of half the sides."""


def maximum(h: torch.Tensor, around: str) -> torch.Tensor:
    """The maximum of 2×2 windows of stride 2, ⌊H/2⌋: what fills no window is left out."""
    del around
    return functional.max_pool2d(h, 2)


def average(h: torch.Tensor, around: str) -> torch.Tensor:
    """The mean of 2×2 windows of stride 2, ⌊H/2⌋."""
    del around
    return functional.avg_pool2d(h, 2)


def blur(h: torch.Tensor, around: str) -> torch.Tensor:
    """Every second pixel, ⌈H/2⌉, after the binomial filter (1, 2, 1)/4 in both directions.

    Source: Zhang 2019, section 3.2, there Tri-3. The filter is a window (1, 1)/2 twice.
    """
    h = functional.pad(h, (1, 1, 1, 1), AROUND[around])
    return functional.avg_pool2d(functional.avg_pool2d(h, 2, 1), 2)


def max_blur(h: torch.Tensor, around: str) -> torch.Tensor:
    """The maximum of 2×2 windows at every pixel, then :func:`blur` (Zhang 2019, MaxBlurPool)."""
    h = functional.pad(h, (0, 1, 0, 1), AROUND[around])
    return blur(functional.max_pool2d(h, 2, 1), around)


POOLINGS: dict[str, Pooling | None] = {
    "none": None,
    "max": maximum,
    "average": average,
    "blur": blur,
    "max_blur": max_blur,
}


def pool(h_KBCHW: torch.Tensor, over: Pooling, around: str) -> torch.Tensor:
    """The images of all trials, pooled."""
    return apart(over(beside(h_KBCHW), around), h_KBCHW.shape[0])


def doubled(h_KBCHW: torch.Tensor) -> torch.Tensor:
    """Each pixel four times: twice as high and wide (nearest-neighbour upsampling)."""
    *_, height, width = h_KBCHW.shape
    h = h_KBCHW[..., :, None, :, None].expand(*h_KBCHW.shape[:-1], 2, width, 2)
    return h.reshape(*h_KBCHW.shape[:-2], 2 * height, 2 * width)
