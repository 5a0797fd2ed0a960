"""Nets as a user would write them: what the plain loop trains, and a module for talweg.

All take images (B, 1, 8, 8) and give logits (B, 10). ``grids/`` holds talweg's own versions.
"""

from itertools import pairwise

import torch
from torch import nn

PIXELS, CLASSES, SIDE = 64, 10, 8


class Deep(nn.Sequential):
    """A multilayer perceptron with tanh, Xavier's normal initialisation and zero biases."""

    def __init__(self, depth: int = 20, width: int = 64) -> None:
        sizes = [PIXELS, *[width] * depth]
        hidden: list[nn.Module] = []
        for d, h in pairwise(sizes):
            hidden += [nn.Linear(d, h), nn.Tanh()]
        super().__init__(nn.Flatten(), *hidden, nn.Linear(width, CLASSES))
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.xavier_normal_(parameter)
            else:
                nn.init.zeros_(parameter)


class ConvNet(nn.Module):
    """Two convolutions with ReLU, global average pooling, linear; PyTorch's initialisation."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.out = nn.Linear(channels, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, 10)."""
        h = torch.relu(self.second(torch.relu(self.first(x))))
        out: torch.Tensor = self.out(h.mean((2, 3)))
        return out


class Lstm(nn.Module):
    """An LSTM that reads the image row by row, linear; PyTorch's initialisation."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.body = nn.LSTM(SIDE, width, batch_first=True)
        self.out = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, 10), from the state after the last row."""
        h, _ = self.body(x.squeeze(1))
        out: torch.Tensor = self.out(h[:, -1])
        return out
