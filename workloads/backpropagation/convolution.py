"""A convolution and pooling backwards. K trials, B samples, C in, O out channels, kernels k × k.

Source: Goodfellow, Bengio and Courville (2016), section 9.5; LeCun et al. (1998). What a net
calls convolution is a cross-correlation, z_o(y, x) = Σ_cij W_ocij h_c(sy + i, sx + j) of the padded
image h; its derivative by h is a correlation with the flipped kernels, of δ with s − 1 zeros
between its pixels.
"""

import torch
from torch.nn import functional

from ..models.convolution import AROUND, apart, beside


def padded(h_KBCHW: torch.Tensor, side: int, around: str) -> torch.Tensor:
    """The images with ``side`` pixels around them."""
    k = h_KBCHW.shape[0]
    return apart(functional.pad(beside(h_KBCHW), (side,) * 4, AROUND[around]), k)


def weights(
    h_KBCHW: torch.Tensor, delta_KBOHW: torch.Tensor, kernel: int, stride: int
) -> torch.Tensor:
    """∂L/∂W_ocij = Σ_byx δ_o(y, x) h_c(sy + i, sx + j), (K, O, C, k, k), of the padded image h."""
    height, width = delta_KBOHW.shape[-2:]
    each = [
        torch.einsum(
            "kboyx,kbcyx->koc",
            delta_KBOHW,
            h_KBCHW[..., i::stride, j::stride][..., :height, :width],
        )
        for i in range(kernel)
        for j in range(kernel)
    ]
    gradient: torch.Tensor = torch.stack(each, -1).unflatten(-1, (kernel, kernel))
    return gradient


def bias(delta_KBOHW: torch.Tensor) -> torch.Tensor:
    """∂L/∂b_o = Σ_byx δ_o(y, x), (K, O)."""
    return delta_KBOHW.sum((1, 3, 4))


def inputs(
    w_KOCkk: torch.Tensor, delta_KBOHW: torch.Tensor, size: torch.Size, around: str, stride: int
) -> torch.Tensor:
    """∂L/∂h, (K, B, C, *size), of the image before it was padded."""
    k, kernel = w_KOCkk.shape[0], w_KOCkk.shape[-1]
    side = kernel // 2
    height, width = (length + 2 * side for length in size)
    spread = delta_KBOHW.new_zeros(*delta_KBOHW.shape[:3], height - kernel + 1, width - kernel + 1)
    spread[..., ::stride, ::stride] = delta_KBOHW
    around_it = functional.pad(beside(spread), (kernel - 1,) * 4)
    flipped_KCOkk = w_KOCkk.flip(-2, -1).transpose(1, 2)
    found = functional.conv2d(around_it, flipped_KCOkk.flatten(0, 1), groups=k)
    return _cropped(apart(found, k), side, around)


def _cropped(image: torch.Tensor, side: int, around: str) -> torch.Tensor:
    """The padded image's derivative brought back: a circular border belongs to the other side."""
    for axis in (-2, -1):
        length = image.shape[axis] - 2 * side
        inner = image.narrow(axis, side, length).clone()
        if around == "circular" and side:
            inner.narrow(axis, length - side, side).add_(image.narrow(axis, 0, side))
            inner.narrow(axis, 0, side).add_(image.narrow(axis, side + length, side))
        image = inner
    return image


def average(h_KBCHW: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """∂L/∂h of the mean of 2×2 windows: a quarter for each pixel."""
    return _fitted(_doubled(d) / 4, h_KBCHW)


def maximum(h_KBCHW: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """∂L/∂h of the maximum of 2×2 windows: all for the largest pixel, the first of equal ones."""
    height, width = (2 * side for side in d.shape[-2:])
    windows = h_KBCHW[..., :height, :width].unfold(-2, 2, 2).unfold(-2, 2, 2).flatten(-2)
    chosen = functional.one_hot(windows.argmax(-1), 4).to(d.dtype) * d.unsqueeze(-1)
    back = chosen.unflatten(-1, (2, 2)).transpose(-3, -2).flatten(-2).flatten(-3, -2)
    return _fitted(back, h_KBCHW)


def _doubled(d: torch.Tensor) -> torch.Tensor:
    return d.repeat_interleave(2, -2).repeat_interleave(2, -1)


def _fitted(d: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """A last row or column that filled no window had no part in it."""
    right, below = h.shape[-1] - d.shape[-1], h.shape[-2] - d.shape[-2]
    return functional.pad(d, (0, right, 0, below))


POOLINGS = {"max": maximum, "average": average}
"""Name of a pooling -> (what it saw, ∂L/∂ what it gave) -> ∂L/∂ what it saw."""
