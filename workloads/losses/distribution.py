"""Losses between distributions over C classes; K trials, B samples."""

import torch

from .classification import accuracy
from .criterion import Values

LEAST = 1e-30
"""Probabilities of targets count as at least this in the reverse divergence, in any type."""


def kl_divergence(direction: str, temperature: float) -> Values:
    """Kullback–Leibler divergence of q = softmax(z / T) and the targets p, in nats, (K, B).

    ``forward``: KL(p‖q) = Σ p log(p / q), which spreads q over all of p's classes. ``reverse``:
    KL(q‖p), which draws q to p's largest one; it is infinite where p is 0, so p counts as at
    least 1e-30 there. Targets are taken as they are: whoever made them divided their logits, too.
    Hinton et al. (2015), section 2, multiply by T², so that gradients keep their size; here
    that is left to the learning rate. Source: Kullback and Leibler (1951).
    """

    def forward(logits_KBC: torch.Tensor, p_KBC: torch.Tensor) -> torch.Tensor:
        log_q_KBC = torch.log_softmax(logits_KBC / temperature, -1)
        return (torch.xlogy(p_KBC, p_KBC) - p_KBC * log_q_KBC).sum(-1)

    def reverse(logits_KBC: torch.Tensor, p_KBC: torch.Tensor) -> torch.Tensor:
        log_q_KBC = torch.log_softmax(logits_KBC / temperature, -1)
        return (log_q_KBC.exp() * (log_q_KBC - p_KBC.clamp(min=LEAST).log())).sum(-1)

    return forward if direction == "forward" else reverse


def agreement(logits_KBC: torch.Tensor, p_KBC: torch.Tensor) -> torch.Tensor:
    """Share of samples whose likeliest class is the target's likeliest class, (K,)."""
    return accuracy(logits_KBC, p_KBC.argmax(-1))
