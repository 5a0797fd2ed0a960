"""Optimizers on stacked tensors, by name. One step updates K trials in place.

Each trial has its own hyperparameters: *settings*, tensors of length K. A setting that is
neutral for every trial of a pack is left out of the step; where it is neutral for some, it is
the identity for them (factor 1, term 0), so that a trial's numbers do not depend on its
neighbours. Settings and state have float32 at least: β₂ = 0.999 is 1 in bfloat16.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from .spec import TrialSpec

Tensors = list[torch.Tensor]
Settings = Mapping[str, torch.Tensor]
"""Setting -> its value for each trial, (K,)."""

NEUTRAL = {
    "lr": None,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "clip_norm": torch.inf,
    "clip_value": torch.inf,
    "alpha": None,
    "beta1": None,
    "beta2": None,
    "eps": None,
    "initial_accumulator": 0.0,
}
"""Every setting a step may use, and the value at which it does nothing (None: there is none)."""


@dataclass(frozen=True)
class Rule:
    """An optimizer: which state it keeps, and how a gradient becomes an update."""

    start: Callable[[Tensors, Settings], Tensors]
    """(params, settings): the state, tensors of (K, …)."""
    step: Callable[[Tensors, Tensors, Tensors, Settings], None]
    """(params, grads, state, settings): writes params and state, reads grads."""


def settings_of(trials: Sequence[TrialSpec], like: torch.Tensor) -> dict[str, torch.Tensor]:
    """The settings that are not neutral for all trials, where ``like`` is and as precise."""
    found = {}
    dtype = torch.promote_types(like.dtype, torch.float32)
    for name, neutral in NEUTRAL.items():
        given = (getattr(trial.optimizer, name, neutral) for trial in trials)
        values = [neutral if value is None else value for value in given]
        if any(value != neutral for value in values):
            found[name] = torch.tensor(values, dtype=dtype, device=like.device)
    return found


def _over(value_K: torch.Tensor, tensors: Tensors) -> Tensors:
    """Views of a setting that broadcast over each tensor, (K, 1, …)."""
    shaped = {n: value_K.view(-1, *[1] * (n - 1)) for n in {t.ndim for t in tensors}}
    return [shaped[t.ndim] for t in tensors]


def _zeros(params: Tensors, settings: Settings) -> Tensors:
    """Zeros like the parameters, in the precision of the settings."""
    return [torch.zeros_like(p, dtype=settings["lr"].dtype) for p in params]


def _descend(params: Tensors, update: Tensors, settings: Settings) -> None:
    """θ ← θ − η·u."""
    torch._foreach_addcmul_(params, _over(settings["lr"], params), update, value=-1)


def _decayed(params: Tensors, grads: Tensors, settings: Settings) -> Tensors:
    """g ← g + λθ, in the precision of the settings."""
    grads = [g.to(settings["lr"].dtype) for g in grads]
    if "weight_decay" not in settings:
        return grads
    decay = _over(settings["weight_decay"], params)
    return list(torch._foreach_addcmul(grads, decay, params))


def _rolling(velocity: Tensors, grads: Tensors, settings: Settings) -> Tensors:
    """v ← μv + g (Polyak 1964); g itself where no trial has momentum."""
    if "momentum" not in settings:
        return grads
    torch._foreach_mul_(velocity, _over(settings["momentum"], velocity))
    torch._foreach_add_(velocity, grads)
    return velocity


def _average(means: Tensors, values: Tensors, kept_K: torch.Tensor) -> None:
    """a ← βa + (1 − β)x."""
    # Not _foreach_lerp_: Inductor would leave it as it is, a slow call out of compiled code.
    for mean, value, share in zip(means, values, _over(1 - kept_K, means), strict=True):
        mean.lerp_(value, share)


def _velocity(params: Tensors, settings: Settings) -> Tensors:
    return _zeros(params, settings) if "momentum" in settings else []


def _sgd_step(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """θ ← θ − ηv, with L2 decay, as torch.optim.SGD (Sutskever et al. 2013, eq. 1–2)."""
    grads = _decayed(params, grads, settings)
    _descend(params, _rolling(state, grads, settings), settings)


def _nesterov_step(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """θ ← θ − η(g + μv), as torch.optim.SGD (Sutskever et al. 2013, eq. 3–4, rewritten)."""
    grads = _decayed(params, grads, settings)
    if "momentum" in settings:
        velocity = _rolling(state, grads, settings)
        grads = list(torch._foreach_addcmul(grads, _over(settings["momentum"], params), velocity))
    _descend(params, grads, settings)


def _rmsprop_start(params: Tensors, settings: Settings) -> Tensors:
    return [*_zeros(params, settings), *_velocity(params, settings)]


def _rmsprop_step(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """s ← αs + (1 − α)g², v ← μv + g/(√s + ε), θ ← θ − ηv, as torch.optim.RMSprop."""
    squares, velocity = state[: len(params)], state[len(params) :]
    grads = _decayed(params, grads, settings)
    _average(squares, list(torch._foreach_mul(grads, grads)), settings["alpha"])
    scaled = list(torch._foreach_div(grads, _root(squares, settings["eps"])))
    _descend(params, _rolling(velocity, scaled, settings), settings)


def _adagrad_start(params: Tensors, settings: Settings) -> Tensors:
    squares = _zeros(params, settings)
    if "initial_accumulator" in settings:
        torch._foreach_add_(squares, _over(settings["initial_accumulator"], squares))
    return squares


def _adagrad_step(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """s ← s + g², θ ← θ − ηg/(√s + ε) (Duchi et al. 2011), as torch.optim.Adagrad."""
    grads = _decayed(params, grads, settings)
    torch._foreach_addcmul_(state, grads, grads)
    _descend(params, list(torch._foreach_div(grads, _root(state, settings["eps"]))), settings)


def _root(squares: Tensors, eps_K: torch.Tensor) -> Tensors:
    """√s + ε."""
    root = list(torch._foreach_sqrt(squares))
    torch._foreach_add_(root, _over(eps_K, root))
    return root


def _adam_start(params: Tensors, settings: Settings) -> Tensors:
    """Averages m and v, and the powers β₁ᵗ and β₂ᵗ, (K,), that their bias is known by."""
    powers = [torch.ones_like(settings[name]) for name in ("beta1", "beta2")]
    return [*powers, *_zeros(params, settings), *_zeros(params, settings)]


def _adam_step(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """Kingma and Ba 2015, algorithm 1, with L2 decay, as torch.optim.Adam."""
    _adam_move(params, _decayed(params, grads, settings), state, settings)


def _adamw_step(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """θ ← (1 − ηλ)θ, then Adam's step (Loshchilov and Hutter 2019), as torch.optim.AdamW."""
    if "weight_decay" in settings:
        left_K = 1 - settings["lr"] * settings["weight_decay"]
        torch._foreach_mul_(params, _over(left_K, params))
    grads = [g.to(settings["lr"].dtype) for g in grads]
    _adam_move(params, grads, state, settings)


def _adam_move(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − η·m̂/(√v̂ + ε)."""
    powers, (means, squares) = state[:2], (state[2 : 2 + len(grads)], state[2 + len(grads) :])
    _average(means, grads, settings["beta1"])
    _average(squares, list(torch._foreach_mul(grads, grads)), settings["beta2"])
    torch._foreach_mul_(powers, [settings["beta1"], settings["beta2"]])
    # m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ); the corrections are numbers per trial, so they go
    # into ε and η instead of into every entry: η·m̂/(√v̂ + ε) = (ηc/b)·m/(√v + cε),
    # b = 1 − β₁ᵗ, c = √(1 − β₂ᵗ).
    c_K = (1 - powers[1]).sqrt()
    roots = _root(squares, c_K * settings["eps"])
    rate_K = settings["lr"] * c_K / (1 - powers[0])
    scaled = list(torch._foreach_mul(means, _over(rate_K, means)))
    torch._foreach_addcdiv_(params, scaled, roots, value=-1)


RULES: dict[str, Rule] = {
    "sgd": Rule(_velocity, _sgd_step),
    "momentum": Rule(_velocity, _sgd_step),
    "nesterov": Rule(_velocity, _nesterov_step),
    "rmsprop": Rule(_rmsprop_start, _rmsprop_step),
    "adam": Rule(_adam_start, _adam_step),
    "adamw": Rule(_adam_start, _adamw_step),
    "adagrad": Rule(_adagrad_start, _adagrad_step),
}


def clip(grads: Tensors, settings: Settings) -> tuple[Tensors, torch.Tensor | None]:
    """Clip by value, then by norm.

    Returns the gradients and which trials had theirs changed, (K,); None where no trial clips.
    """
    which = []
    for limit, clipped_by in (("clip_value", _by_value), ("clip_norm", _by_norm)):
        if limit in settings:
            grads, clipped_K = clipped_by(grads, settings[limit])
            which.append(clipped_K)
    return grads, torch.stack(which).any(0) if which else None


def _by_value(grads: Tensors, limit_K: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    """min(max(g, −c), c), as torch.nn.utils.clip_grad_value_."""
    # Not torch.clamp, nor the norm of order ∞: both are ten times slower on a CPU (measured).
    largest_K = torch.stack([g.abs().flatten(1).amax(1) for g in grads]).amax(0)
    clipped = list(torch._foreach_minimum(grads, _over(limit_K, grads)))
    torch._foreach_maximum_(clipped, _over(-limit_K, grads))
    return clipped, largest_K > limit_K


def _by_norm(grads: Tensors, limit_K: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    """g·min(1, c/‖g‖) by the norm over all parameters (Pascanu et al. 2013)."""
    norm_K = norms(grads)
    clipped_K = norm_K > limit_K
    # Not clipped is a factor of exactly 1, also for a norm of 0 and no limit (c/0, ∞/∞).
    scale_K = torch.where(clipped_K, limit_K / norm_K, 1.0)
    return list(torch._foreach_mul(grads, _over(scale_K, grads))), clipped_K


def norms(tensors: Tensors) -> torch.Tensor:
    """The Euclidean norm of each trial over all its tensors together, (K,)."""
    return joint(each_norm(tensors))


def each_norm(tensors: Tensors) -> Tensors:
    """The Euclidean norm of each trial in each of the tensors, (K,) each."""
    # Not of t.flatten(1): that would copy what lies transposed in memory.
    return [torch.linalg.vector_norm(t, dim=_inner(t)) if t.ndim > 1 else t.abs() for t in tensors]


def _inner(tensor: torch.Tensor) -> tuple[int, ...]:
    """All axes but that of the trials."""
    return tuple(range(1, tensor.ndim))


def joint(each: Tensors) -> torch.Tensor:
    """The norm over all tensors from the norms of each, (K,)."""
    total: torch.Tensor = torch.linalg.vector_norm(torch.stack(each), dim=0)
    return each[0] if len(each) == 1 else total
