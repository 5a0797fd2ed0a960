"""The figures of the benchmark: who runs, in how many rounds, what is compared with what goal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from talweg.workloads.probes.schedules import PROBES

from .contestants import Contestant, net_loop, peer, plan, probes, store, talweg
from .goals import (
    FIRST_PAINT,
    GROWTH,
    MEMORY,
    PEAK,
    PROCESS,
    REPORT,
    REPORT_SIZE,
    SLOWEST_PAGE,
    SLOWEST_QUESTION,
    SWEEP,
    TRIALS,
    UPDATES,
    WALL,
    WHOLE,
    Goal,
    at_least,
    at_most,
    factor,
)
from .probes import PACKS


@dataclass(frozen=True)
class Figure:
    """Contestants that run in turns, and what is compared."""

    title: str
    contestants: Mapping[str, Contestant]
    goals: Sequence[Goal]
    rounds: int
    factors: str = ""
    """The unit of all that its runs measured, where the report is to list it."""


COLD, WARM = "talweg, cold", "talweg, warm"
TUNE, LOOP, BOUND = "Ray Tune", "plain loop", "hand-batched bound"
MANY, MANY_WARM = "talweg, cold, 256 trials", "talweg, warm, 256 trials"
HUNDRED, THOUSAND, TEN_THOUSAND = "100 trials", "1,000 trials", "10,000 trials"
BOARD, BOARD_THOUSAND = "TensorBoard, 100 runs", "TensorBoard, 1,000 runs"
ASKED, FOLLOWED = "what pages ask, 10,000 trials", "a page that follows a sweep"
REPORTED = "talweg report"
ALONE = "probes and steps in turns"
OWN, BARE, BARE_WARM = "talweg, nn.Module", "cold, no probes", "warm, no probes"
LONG, BARE_LONG = "fifty epochs, warm", "fifty epochs, warm, no probes"

FIGURES: dict[str, Figure] = {
    "grid": Figure(
        "120 trials of digits, all default metrics into DuckDB",
        {
            COLD: talweg("digits-120"),
            WARM: talweg("digits-120", warm="digits-120"),
            TUNE: peer("ray_tune", "digits-120", most=1),
            LOOP: peer("plain_loop", "digits-120", cores=1, most=1),
            BOUND: peer("hand_batched", "digits-120"),
        },
        [
            Goal("cold / Ray Tune", TRIALS, COLD, TUNE, at_least(15)),
            Goal("warm / Ray Tune", TRIALS, WARM, TUNE, at_least(30)),
            Goal("warm / Ray Tune, stretch", TRIALS, WARM, TUNE, at_least(60), stretch=True),
            Goal("cold / hand-batched bound", UPDATES, COLD, BOUND, at_least(1)),
            Goal("warm / hand-batched bound", UPDATES, WARM, BOUND, at_least(2)),
            Goal("cold / plain loop", UPDATES, COLD, LOOP),
            Goal("warm / plain loop", UPDATES, WARM, LOOP),
        ],
        rounds=3,
    ),
    "stochastic": Figure(
        "stochastic descent alone, 40 and 256 trials",
        {
            COLD: talweg("stochastic-40"),
            WARM: talweg("stochastic-40", warm="digits-120"),
            MANY: talweg("stochastic-256", short=False),
            MANY_WARM: talweg("stochastic-256", warm="digits-120"),
            LOOP: peer("plain_loop", "stochastic-4", cores=1),
        },
        [
            Goal("40 trials, cold / plain loop", UPDATES, COLD, LOOP, at_least(20)),
            Goal("40 trials, warm / plain loop", UPDATES, WARM, LOOP, at_least(50)),
            Goal("256 trials, cold / plain loop", UPDATES, MANY, LOOP, at_least(20)),
            Goal("256 trials, warm / plain loop", UPDATES, MANY_WARM, LOOP, at_least(50)),
        ],
        rounds=2,
    ),
    "deep": Figure(
        "20 hidden layers of 64, tanh, batch 32, 64 trials",
        {
            COLD: talweg("deep-64"),
            OWN: talweg("module-64"),
            LOOP: net_loop("deep", trials=4, epochs=10),
        },
        [
            Goal("cold / plain loop", UPDATES, COLD, LOOP, at_least(4)),
            Goal("the user's own nn.Module / built-in mlp", UPDATES, OWN, COLD),
            Goal("the user's own nn.Module / plain loop", UPDATES, OWN, LOOP),
        ],
        rounds=2,
    ),
    "convnet": Figure(
        "two convolutions of 16 channels, batch 32, 64 trials",
        {COLD: talweg("convnet-64"), LOOP: net_loop("convnet", trials=4, epochs=10)},
        [Goal("cold / plain loop", UPDATES, COLD, LOOP, at_least(1))],
        rounds=2,
    ),
    "lstm": Figure(
        "LSTM of 64 units over 8 rows of 8 pixels, batch 32, 64 trials",
        {COLD: talweg("lstm-64"), LOOP: net_loop("lstm", trials=4, epochs=10)},
        [Goal("cold / plain loop", UPDATES, COLD, LOOP, at_least(1))],
        rounds=2,
    ),
    "tiny": Figure(
        "10,000 tiny trials of eight shapes",
        {COLD: talweg("tiny-10000")},
        [
            Goal("sweep over its packs' seconds per worker", WALL, COLD, bound=at_most(1.1)),
            Goal("the driver's memory", GROWTH, COLD, bound=at_most(1.1)),
            Goal("whole process over the same", WHOLE, COLD),
        ],
        rounds=2,
    ),
    "plan": Figure(
        "planning 100,000 trials of a hundred shapes",
        {"talweg plan": plan("plan-100000")},
        [
            Goal("whole process", PROCESS, "talweg plan", bound=at_most(5)),
            Goal("peak memory", PEAK, "talweg plan", bound=at_most(1)),
        ],
        rounds=3,
    ),
    "probes": Figure(
        "first-order probes at the default schedule, 120 trials of digits",
        {
            COLD: talweg("digits-120", short=False),
            BARE: talweg("bare-120"),
            WARM: talweg("digits-120", warm="digits-120"),
            BARE_WARM: talweg("bare-120", warm="bare-120"),
            LONG: talweg("digits-long", warm="digits-long"),
            BARE_LONG: talweg("bare-long", warm="bare-long"),
        },
        [
            Goal("cold, with / without", SWEEP, COLD, BARE, at_most(1.1)),
            Goal("warm, with / without", SWEEP, WARM, BARE_WARM, at_most(1.1)),
            Goal("fifty epochs, warm, with / without", SWEEP, LONG, BARE_LONG, at_most(1.1)),
        ],
        rounds=3,
    ),
    "instruments": Figure(
        "each probe beside the training step, MLPs of digits (in seconds of the processor)",
        {ALONE: probes()},
        [
            *(
                Goal(name, factor(name), ALONE, bound=at_most(1.3))
                for name in (f"noise in every update, {pack.name}" for pack in PACKS)
            ),
            *(Goal(f"{name}, one measurement", factor(name), ALONE) for name in PROBES),
        ],
        rounds=1,
    ),
    "queries": Figure(
        "what every page asks, 20 times each, over 10,000 trials of 1,000 recordings",
        {ASKED: store("queries", 10_000)},
        [
            Goal(SLOWEST_QUESTION, factor(SLOWEST_QUESTION, "ms"), ASKED, bound=at_most(300)),
        ],
        rounds=1,
        factors="ms",
    ),
    "pages": Figure(
        "pages in Chromium until their charts are drawn, trials of 1,000 recordings",
        {
            HUNDRED: store("pages", 100),
            THOUSAND: store("pages", 1_000),
            TEN_THOUSAND: store("pages", 10_000),
            BOARD: store("peers.tensorboard_pages", 100, most=1),
            BOARD_THOUSAND: store("peers.tensorboard_pages", 1_000, most=1),
        },
        [
            *(
                Goal(f"{SLOWEST_PAGE}, {size}", factor(SLOWEST_PAGE, "s"), size, bound=bound)
                for size, bound in (
                    (HUNDRED, None),
                    (THOUSAND, None),
                    (TEN_THOUSAND, at_most(1.5)),
                )
            ),
            Goal(FIRST_PAINT, factor(FIRST_PAINT, "s"), TEN_THOUSAND, bound=at_most(1)),
            Goal("time series, p95", factor("p95", "s"), BOARD),
            Goal("time series, p95", factor("p95", "s"), BOARD_THOUSAND),
        ],
        rounds=1,
        factors="s",
    ),
    "reports": Figure(
        "the report of all sweeps of a store, 10,000 trials of 1,000 recordings, by the command",
        {REPORTED: store("reporting", 10_000)},
        [
            Goal(f"{REPORT}, html", factor(f"{REPORT}, html", "s"), REPORTED, bound=at_most(20)),
            Goal(
                f"{REPORT_SIZE}, html",
                factor(f"{REPORT_SIZE}, html", "MB"),
                REPORTED,
                bound=at_most(5),
            ),
            Goal(f"{REPORT}, pdf", factor(f"{REPORT}, pdf", "s"), REPORTED),
        ],
        rounds=1,
    ),
    "refreshes": Figure(
        "memory of the dashboard over 500 live sections drawn while a sweep runs",
        {FOLLOWED: store("refreshes", short=("--refreshes", "4"))},
        [
            Goal(
                MEMORY,
                factor(MEMORY, "last / second quarter"),
                FOLLOWED,
                bound=at_most(1.05),
            ),
        ],
        rounds=1,
    ),
}
