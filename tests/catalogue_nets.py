"""The catalogue's optimizers, nets and problems; see ``catalogue``."""

import itertools
import math

from .catalogue import Parts, Row, at_least, at_most, score

ADAM: Parts = {"name": "adam", "lr": 0.02}

# --- Descent: iris, 120 samples, from a loss of about 1.2 ----------------------------------------

RATES = {
    "sgd": 0.5, "momentum": 0.1, "nesterov": 0.1,
    "rmsprop": 0.02, "adam": 0.02, "adamw": 0.02, "adagrad": 0.1,
}  # fmt: skip
SCHEDULES: dict[str, Parts] = {
    "constant": {},
    "step": {"every": 40, "gamma": 0.5},
    "exponential": {"every": 40, "gamma": 0.5},
    "cosine": {},
    "warmup": {"warmup": 10},
    "inverse_sqrt": {"warmup": 10},
}
IRIS: Parts = {"model": {"depth": 1, "width": 16}, "budget": {"updates": 150}}


def scheduled(name: str, schedule: str) -> Parts:
    own = {"name": schedule} | SCHEDULES[schedule]
    return {"name": name, "lr": RATES[name], "schedule": own}


DESCENT = {
    **{
        f"{name}, {schedule}": Row(
            (f"optimizer.{name}", f"schedule.{schedule}"),
            IRIS | {"optimizer": scheduled(name, schedule)},
            score(0.85) | {"train_loss": at_most(0.25)},
        )
        for name, schedule in itertools.product(RATES, SCHEDULES)
    },
    **{
        clip: Row(
            (clip,),
            IRIS | {"optimizer": {"lr": 0.5, clip: limit}},
            score(0.85) | {"train_loss": at_most(0.25)},
        )
        for clip, limit in {"clip_norm": 0.3, "clip_value": 0.1}.items()
    },
    # As many samples for each: 40 epochs of 120.
    **{
        name: Row(
            (f"descent.{name}", "problem.iris"),
            IRIS | {"descent": name, "optimizer": {"lr": rate}, "budget": {"epochs": 40}},
            score(0.85) | {"train_loss": at_most(most)},
        )
        for name, rate, most in (
            ("batch", 1.0, 0.3), ("stochastic", 0.05, 0.2), ("mini_batch", 0.5, 0.2)
        )
    },
}  # fmt: skip

# --- Nets: two moons, of which a straight line gets 0.84 right -----------------------------------


def moons(**model: object) -> Parts:
    return {
        "problem": {"name": "two_moons", "samples": 256, "test_samples": 256},
        "model": {"depth": 1, "width": 32, "init": WIDE} | model,
        "optimizer": {"name": "adam", "lr": 0.05},
        "budget": {"updates": 400},
    }


WIDE: Parts = {"name": "gaussian", "sigma_w": 3.0, "sigma_b": 1.0}
BENT = (
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "selu", "softplus",
)  # fmt: skip
INITS: tuple[Parts, ...] = (
    *({"name": n} for n in ("he", "xavier", "lecun", "orthogonal", "pytorch_default")),
    {"name": "gaussian", "sigma_w": 1.5, "sigma_b": 0.1},
    {"name": "scaled", "gain": 2.0},
)
UNITS = {
    **{
        name: Row((f"activation.{name}", "model.mlp"), moons(activation=name), score(0.95))
        for name in BENT
    },
    "identity is a straight line": Row(
        ("activation.identity", "problem.two_moons"),
        moons(activation="identity", depth=2),
        {"test_score": (0.78, 0.9)},
    ),
    **{
        f"{init['name']} weights": Row(
            (f"init.{init['name']}",),
            moons(init=init, activation="relu"),
            score(0.95),
        )
        for init in INITS
    },
    "zero weights stay alike": Row(
        ("init.zeros",),
        moons(init={"name": "zeros"}),
        {"train_loss": (0.99 * math.log(2), 1.01 * math.log(2))},
    ),
    "zero weights of a linear model do not": Row(
        ("init.zeros",), moons(init={"name": "zeros"}, depth=0), {"test_score": (0.78, 0.9)}
    ),
}


def deep(depth: int, norm: str, residual: str | bool) -> Parts:
    return {
        "problem": "wine",
        "model": {
            "depth": depth, "width": 16, "activation": "relu", "init": "he",
            "norm": norm, "residual": residual,
        },
        "optimizer": {"lr": 0.01, "momentum": 0.9},
        "budget": {"updates": 100},
    }  # fmt: skip


# Saying the commonest of three classes ends at a loss of 1.09.
DEPTH = {
    "30 layers alone": Row(
        ("norm.none", "residual.False"),
        deep(30, "none", False),
        {"train_loss": at_least(0.35)},
    ),
    "30 layers, scaled skips": Row(
        ("norm.none", "residual.scaled"),
        deep(30, "none", "scaled"),
        score(0.85) | {"train_loss": at_most(0.2)},
    ),
    # Each plain skip doubles the signal: without a norm only a few of them.
    "4 layers, plain skips": Row(
        ("norm.none", "residual.plain"),
        deep(4, "none", "plain"),
        score(0.85) | {"train_loss": at_most(0.2)},
    ),
    **{
        f"30 layers, {norm} norm, {residual} skips": Row(
            (f"norm.{norm}", f"residual.{residual}"),
            deep(30, norm, residual),
            score(0.85) | {"train_loss": at_most(0.2)},
        )
        for norm, residual in (
            ("batch", "plain"), ("batch", "pre_norm"), ("layer", "scaled"),
            ("rms", "pre_norm"),
        )
    },
    **{
        f"4 layers, {norm} norm": Row(
            (f"norm.{norm}", "residual.False"),
            deep(4, norm, False),
            score(0.85) | {"train_loss": at_most(0.2)},
        )
        for norm in ("batch", "layer", "rms")
    },
}  # fmt: skip
IMAGES = {
    "plain convolutions": Row(
        ("model.convnet", "problem.digits"),
        {
            "problem": "digits",
            "model": {"name": "convnet", "pooling": "max"},
            "optimizer": ADAM,
            "budget": {"updates": 150},
        },
        score(0.85),
    ),
    "residual convolutions": Row(
        ("model.convnet", "norm.batch", "residual.scaled"),
        {
            "problem": "digits",
            "model": {
                "name": "convnet", "depth": 5, "channels": 8, "residual": "scaled", "norm": "batch"
            },
            "optimizer": ADAM,
            "budget": {"updates": 100},
        },
        score(0.8),
    ),
}  # fmt: skip

# --- Sequences -----------------------------------------------------------------------------------


def sequence(model: str, problem: Parts, lr: float, updates: int, **more: object) -> Parts:
    return {
        "problem": problem,
        "model": {"name": model, "width": 16, "init": "lecun"} | more,
        "optimizer": {"name": "adam", "lr": lr, "clip_norm": 1.0},
        "budget": {"updates": updates},
    }


COPY = {"name": "copy", "symbols": 4, "length": 6, "delay": 2, "samples": 512, "test_samples": 256}
ADDING = {"name": "adding", "steps": 100, "samples": 2048, "test_samples": 256}
# Saying 1 always: 1/6. The forget gate starts open, at σ(1).
VARIANCE = 1 / 6
SEQUENCES = {
    # Chance: 1/4 of the symbols.
    **{
        f"copy, {name}": Row(
            (f"model.{name}", "problem.copy"),
            sequence(name, COPY, 0.03, 300, width=32),
            score(0.55),
        )
        for name in ("rnn", "lstm", "gru")
    },
    "adding over 100 steps, lstm": Row(
        ("model.lstm", "problem.adding"),
        sequence("lstm", ADDING, 0.05, 400, forget_bias=1.0) | {"loss": "mse"},
        {"test_loss": at_most(0.02)},
    ),
    "adding over 100 steps, gru": Row(
        ("model.gru", "problem.adding"),
        sequence("gru", ADDING, 0.05, 200) | {"loss": "mse"},
        {"test_loss": at_most(0.02)},
    ),
    "adding over 100 steps, rnn": Row(
        ("model.rnn", "problem.adding"),
        sequence("rnn", ADDING, 0.05, 400) | {"loss": "mse"},
        {"test_loss": (0.85 * VARIANCE, 1.5 * VARIANCE)},
    ),
    # Chance: 1/10.
    **{
        f"digits pixel by pixel, {name}": Row(
            (f"model.{name}", "problem.sequential_digits"),
            sequence(name, {"name": "sequential_digits"}, 0.02, 150, width=24),
            score(least),
        )
        for name, least in (("rnn", 0.3), ("lstm", 0.35), ("gru", 0.45))
    },
}

# --- Problems ------------------------------------------------------------------------------------


def classified(
    name: str, updates: int = 200, depth: int = 1, width: int = 32, **own: object
) -> Parts:
    return {
        "problem": {"name": name, **own},
        "model": {"depth": depth, "width": width, "activation": "relu", "init": "he"},
        "optimizer": ADAM,
        "budget": {"updates": updates},
    }


PROBLEMS = {
    # The better of "one class always": 0.62 (breast_cancer), 0.4 (wine), 1/3, 1/10, 1/2.
    "breast_cancer": Row(("problem.breast_cancer",), classified("breast_cancer"), score(0.93)),
    "wine": Row(("problem.wine",), classified("wine"), score(0.9)),
    "iris": Row(("problem.iris",), classified("iris"), score(0.85)),
    "digits": Row(("problem.digits",), classified("digits"), score(0.93)),
    "two_moons": Row(("problem.two_moons",), classified("two_moons"), score(0.98)),
    "spirals": Row(("problem.spirals",), classified("spirals", 400, 2), score(0.9)),
    # A linear model gets 0.32 right, see test_problems.
    "mnist1d": Row(
        ("problem.mnist1d",),
        classified("mnist1d", 400, 2, 128) | {"optimizer": {"name": "adam", "lr": 0.01}},
        score(0.45),
    ),
    "random labels are learnt by heart": Row(
        ("problem.gaussian_inputs",),
        classified("gaussian_inputs", 200, 1, 64, features=32, samples=128),
        {"train_score": at_least(0.99), "test_score": (0.0, 0.25)},
    ),
    # DeepOBS: the noise alone costs 87, the start 300.
    "quadratic_deep": Row(
        ("problem.quadratic_deep", "loss.objective", "model.point"),
        {
            "problem": "quadratic_deep",
            "model": {"name": "point", "start": "normal"},
            "descent": {"batch_size": 128},
            "optimizer": {"lr": 0.01, "schedule": "cosine"},
            "budget": {"updates": 700},
        },
        {"train_loss": at_most(87.0), "test_loss": at_most(90.0)},
    ),
}
