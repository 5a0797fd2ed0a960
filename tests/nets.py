"""Modules of a user's own, as the tests of ``model: {name: module}`` name them."""

import torch
from torch import nn


class Plain(nn.Module):
    """The multilayer perceptron 4-16-16-3 with tanh, as PyTorch would have it."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Linear(4, width)
        self.second = nn.Linear(width, width)
        self.out = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.second(torch.tanh(self.first(x))))
        out: torch.Tensor = self.out(h)
        return out


class Branching(Plain):
    """Does something else when its inputs are small: no vmap can stack that."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.abs().mean() > 0.8:
            x = x * 0.5
        return super().forward(x)


class Normalised(nn.Module):
    """With batch normalisation, whose running statistics a stack cannot keep."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.body(x)
        return out


class Dropping(Plain):
    """Draws random numbers while it trains."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.dropout(x, 0.5, self.training))


class Convolving(nn.Sequential):
    """Two convolutions on the images of digits."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(),
            nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(192, 10),
        )  # fmt: skip


class Lone(nn.Linear):
    """A module that is itself a measured layer."""

    def __init__(self) -> None:
        super().__init__(4, 3)
