"""Classification losses over class logits; K trials, B samples, C classes."""

import torch


def cross_entropy(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """Softmax cross-entropy of every sample in nats, (K, B); uniform logits give ln C.

    Safe for logits of ±1e4: the log-sum-exp subtracts the maximum first.
    Source: Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.108.
    """
    # −log softmax(z)_y = logsumexp(z) − z_y
    picked_KB = logits_KBC.gather(-1, target_KB.unsqueeze(-1)).squeeze(-1)
    return torch.logsumexp(logits_KBC, -1) - picked_KB


def accuracy(logits_KBC: torch.Tensor, target_KB: torch.Tensor) -> torch.Tensor:
    """1 where the largest logit is the target's, else 0; (K, B) in the logits' dtype."""
    return (logits_KBC.argmax(-1) == target_KB).to(logits_KBC.dtype)
