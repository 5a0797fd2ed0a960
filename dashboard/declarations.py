"""The studies that the common page shows: what each compares, by which numbers, and how."""

import math
from collections.abc import Mapping

from .metrics import METRICS
from .study import FORWARD, SIGNAL, Quantity, Study, own

_ACCURACY, _TEST_LOSS = METRICS["test_score"], METRICS["test_loss"]
_TRAIN_LOSS = METRICS["train_loss"]
_ANY = (-math.inf, math.inf)
_POSITIVE, _SHARE = (0.0, math.inf), (0.0, 1.0)

_DESCENT = {
    "optimizers": Study(
        title="Optimizers",
        metrics=(_TRAIN_LOSS, _ACCURACY, _TEST_LOSS),
        lines=("optimizer.name",),
        panels=("optimizer.schedule.name",),
        tuned="optimizer.lr",
        costs=True,
        changes=(
            ("Other settings.", "Only the rate is tuned; momentum and averages keep defaults."),
            ("A longer budget.", "An optimizer that starts slowly may end lower."),
            ("Another net.", "Adaptive rates help most where layers differ in scale."),
        ),
    ),
    "batch_size": Study(
        title="Batch size",
        metrics=(_TRAIN_LOSS, _ACCURACY),
        lines=("optimizer.name",),
        along="descent.batch_size",
        tuned="optimizer.lr",
        costs=True,
        changes=(
            ("Another target.", "A harder one leaves less room for noise: larger batches pay."),
            ("A schedule.", "Small batches gain most from a rate that falls."),
            ("Another problem.", "Where gradients are noisier, larger batches go on helping."),
        ),
    ),
    "convexity": Study(
        title="Convexity",
        metrics=(
            own("train_loss", "training loss", _ANY, falling=True),
            own("distance_to_minimum", "distance to the global minimum", _POSITIVE, falling=True),
            own("violated_share", "share of violated chords", _SHARE, falling=True),
            own("smallest", "smallest eigenvalue of the Hessian", _ANY),
        ),
        lines=("descent.name", "model.depth"),
        panels=("problem.name",),
        tuned="optimizer.lr",
        landscapes=True,
        changes=(
            ("Starts nearer to a minimum.", "Then the non-convex objectives look convex, too."),
            ("More noise in the gradients.", "It may carry a path over a barrier."),
            ("More updates.", "A narrow valley is slow to follow, and not the same as a trap."),
            ("A wider hidden layer.", "Then most starts end equally low, convex or not."),
        ),
    ),
}

_LOSSES = {
    "regression_losses": Study(
        title="Regression losses",
        metrics=(
            own("parameter_error", "error of the weights", _POSITIVE, falling=True),
            own("test_score", "test R²", _ANY),
        ),
        lines=("loss.name", "loss.delta"),
        along="problem.outlier_share",
        tuned="optimizer.lr",
        changes=(
            ("Outliers in the inputs.", "No loss of the errors alone is robust against those."),
            ("Outliers on one side.", "Then the median is biased, too."),
            ("A more flexible model.", "It fits outliers, and the loss decides less."),
        ),
    ),
    "classification_losses": Study(
        title="Classification losses",
        metrics=(_ACCURACY,),
        lines=("loss.name", "loss.label_smoothing", "loss.gamma"),
        panels=("problem.name",),
        along="problem.minority_share",
        tuned="optimizer.lr",
        changes=(
            ("Another score.", "Accuracy forgives missing a rare class; recall of it would not."),
            ("Weights of classes.", "They act where the loss alone does not."),
            ("Noisy labels.", "Bounded losses are said to bear them better; none are here."),
        ),
    ),
    "distribution_losses": Study(
        title="Distribution losses",
        metrics=(own("test_score", "agreement with the teacher", _SHARE), _TEST_LOSS),
        lines=("loss.direction",),
        panels=("model.width",),
        along="loss.temperature",
        tuned="optimizer.lr",
        changes=(
            ("A larger student.", "One that can match the teacher does not care which direction."),
            ("Another teacher.", "Directions differ most where probabilities have many modes."),
            ("Hard labels beside it.", "Distillation usually mixes both."),
        ),
    ),
    "segmentation_losses": Study(
        title="Segmentation losses",
        metrics=(
            own("test_score", "test IoU", _SHARE),
            own("dice", "test Dice coefficient", _SHARE),
        ),
        lines=("loss.name",),
        along="problem.foreground_share",
        tuned="optimizer.lr",
        changes=(
            ("A longer budget.", "Cross-entropy starts with the background and comes later."),
            ("More noise.", "Overlaps reward deciding, cross-entropy rewards doubting."),
            ("Many figures in an image.", "An overlap is one number for all of them."),
        ),
    ),
    "embedding_losses": Study(
        title="Embedding losses",
        metrics=(
            own("test_score", "test recall at 1", _SHARE),
            own("mean_average_precision", "mean average precision", _SHARE),
        ),
        lines=("loss.name", "loss.mining", "loss.margin"),
        along="loss.dimension",
        tuned="optimizer.lr",
        changes=(
            ("Classes never seen in training.", "What embeddings are for; these are all seen."),
            ("Larger batches.", "Hard triplets are harder among more samples."),
            ("Other margins.", "Each loss stands at the margins of the grid."),
        ),
    ),
    "adversarial_losses": Study(
        title="Adversarial losses",
        metrics=(
            own("test_score", "share of modes covered", _SHARE),
            own("high_quality_share", "share of samples near a mode", _SHARE),
            own("generator_grad_norm", "generator's gradient norm", _POSITIVE, falling=True),
            own("discriminator_loss", "discriminator's loss", _ANY),
        ),
        lines=("loss.name", "loss.penalty"),
        along="model.discriminator_width",
        tuned="optimizer.lr",
        changes=(
            ("Turns instead of moves at once.", "Here both players move at the same time."),
            ("More modes, or unequal ones.", "Collapse is easier to avoid among few."),
            ("A longer budget.", "Modes are lost and found again while a game goes on."),
        ),
    ),
}

_DEPTH = {
    "depth_and_activation": Study(
        title="Depth and activation",
        metrics=(_ACCURACY, _TRAIN_LOSS),
        lines=("model.activation",),
        panels=("model.init.name",),
        along="model.depth",
        tuned="optimizer.lr",
        health=True,
        layers=(SIGNAL, FORWARD),
        changes=(
            ("Normalisation or skips.", "They are the subject of the study of remedies."),
            ("Another width.", "In narrow nets the signal also spreads at random."),
            ("Initial weights tuned to the activation.", "Each has a critical deviation of them."),
        ),
    ),
    "remedies": Study(
        title="Remedies for depth",
        metrics=(_ACCURACY, _TRAIN_LOSS),
        lines=("model.norm", "model.residual", "optimizer.clip_norm"),
        panels=("model.activation",),
        along="model.depth",
        tuned="optimizer.lr",
        health=True,
        layers=(SIGNAL, FORWARD),
        changes=(
            ("A critical initialisation.", "It is the remedy that costs nothing while training."),
            ("Smaller batches.", "The statistics of batch normalisation get noisier."),
            ("A longer budget.", "Some nets only start late."),
        ),
    ),
    "convolution_depth": Study(
        title="Depth of convolutions",
        metrics=(_ACCURACY, _TRAIN_LOSS),
        lines=("model.norm", "model.residual"),
        panels=("model.activation",),
        along="model.depth",
        tuned="optimizer.lr",
        health=True,
        layers=(SIGNAL, FORWARD),
        changes=(
            ("Larger images.", "Here a few layers see the whole image already."),
            ("More channels.", "Depth and width are traded against each other."),
            ("A longer budget.", "Deep plain nets may only start late."),
        ),
    ),
    "backpropagation": Study(
        title="Backpropagation",
        metrics=(
            own("differences", "error against differences", _POSITIVE, falling=True),
            own("equations", "error against equations", _POSITIVE, falling=True),
            own("wrong_layer", "layer of a wrong derivative", _POSITIVE, falling=True),
            own("backward_cost", "seconds of backward by forward", _POSITIVE, falling=True),
        ),
        lines=("model.name", "model.activation", "model.norm", "model.args.wrong"),
        panels=("loss.name",),
        layers=(
            Quantity("differences", "error against central differences"),
            Quantity("equations", "error against the layer-wise equations"),
        ),
        changes=(
            (
                "Deeper nets.",
                "Where a gradient vanishes, differences cannot tell it from rounding.",
            ),
            ("A smaller mistake.", "An error below the tolerance of the check is not seen."),
            ("Another machine.", "What a backward pass takes depends on it, and on what it does."),
        ),
    ),
    "symmetry": Study(
        title="Symmetry",
        metrics=(
            _ACCURACY,
            own("consistency_shift_1", "consistency under a shift by a pixel", _SHARE),
            own("invariance_shift_1", "invariance error of the outputs", _POSITIVE, falling=True),
            own("lie_translation", "Lie derivative of the outputs", _POSITIVE, falling=True),
        ),
        lines=("model.pooling", "model.stride"),
        panels=("model.padding", "augmentation.name"),
        tuned="optimizer.lr",
        layers=(Quantity("equivariance_shift_1", "equivariance error at a shift by a pixel"),),
        changes=(
            ("Images that are not centred.", "Digits are, so places carry information here."),
            ("Larger images.", "Their border is a smaller part, and a pixel a smaller shift."),
            ("A longer budget.", "Shifted images are more to learn than centred ones."),
        ),
    ),
    "recurrent_memory": Study(
        title="Memory in time",
        metrics=(_ACCURACY, _TRAIN_LOSS),
        lines=("model.name", "model.forget_bias"),
        panels=("optimizer.clip_norm",),
        along="problem.delay",
        tuned="optimizer.lr",
        layers=(Quantity("signal", "gradient through time", axis="step"),),
        changes=(
            ("A longer budget.", "Long delays are often learned late, and then at once."),
            ("Orthogonal initial weights.", "They keep the gradient of a plain net for longer."),
            ("Another task.", "Copying asks for exact memory; sums and counts ask for less."),
        ),
    ),
}

SECTIONS: Mapping[str, Mapping[str, Study]] = {
    "Descent": _DESCENT,
    "Losses": _LOSSES,
    "Depth and time": _DEPTH,
}
"""Heading of the navigation -> its studies by name."""

DECLARED: Mapping[str, Study] = {
    name: study for group in SECTIONS.values() for name, study in group.items()
}
"""Every study that the common page shows."""
