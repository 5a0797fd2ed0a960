"""Published image sets in their published files. N samples, C channels, H × W pixels."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..externalspecs import ImageSet
from .data import Data, Floats, Labels
from .downloads import DataUnavailable, Remote, fetch, folder

Bytes = NDArray[np.uint8]
PIXEL_MAXIMUM = 255.0
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
IDX = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
MD5 = {
    MNIST: (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    FASHION: (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
}
"""As Fashion-MNIST's page and torchvision state them."""
FILES: dict[str, tuple[Remote, ...]] = {
    "mnist": tuple(map(Remote, [MNIST + name for name in IDX], MD5[MNIST])),
    "fashion_mnist": tuple(map(Remote, [FASHION + name for name in IDX], MD5[FASHION])),
    "cifar10": (
        # The binary version: the one for Python would have to be unpickled.
        Remote(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
        ),
    ),
}
UNSIGNED_BYTES = 0x08
RECORD = 1 + 3 * 32 * 32
"""A label, then the red, the green and the blue pixels of CIFAR-10, row by row."""


def images(spec: ImageSet) -> Data:
    """Pixels / 255, and where asked for, standardised channel by channel."""
    paths = [fetch(remote, folder() / spec.name) for remote in FILES[spec.name]]
    whole = cifar10(paths[0]) if spec.name == "cifar10" else [idx(path) for path in paths]
    train, y_train, test, y_test = whole
    _check(spec, train, test)
    train, y_train = train[: spec.train_samples], y_train[: spec.train_samples]
    channels = spec.image[0]
    x_train, x_test = (_scaled(x, channels) for x in (train, test))
    if spec.standardise:
        mean, deviation = x_train.mean((0, 2)), x_train.std((0, 2))
        for x in (x_train, x_test):
            x -= mean[:, None]
            x /= deviation[:, None]
    x_train, x_test = (x.reshape(len(x), -1) for x in (x_train, x_test))
    return Data(x_train, _labels(y_train), x_test, _labels(y_test))


def idx(path: Path) -> Bytes:
    """An IDX file of unsigned bytes: two zeros, type, rank, sizes (big endian), then the values.

    Source of the format: LeCun's page of MNIST.
    """
    content = gzip.decompress(path.read_bytes())
    if content[:3] != bytes([0, 0, UNSIGNED_BYTES]):
        raise DataUnavailable(f"{path} is no IDX file of bytes: it starts with {content[:4]!r}")
    rank = content[3]
    sizes = np.frombuffer(content, ">u4", rank, offset=4).astype(int)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    if len(values) != sizes.prod():
        raise DataUnavailable(f"{path} says that it holds {sizes} values, but has {len(values)}")
    return values.reshape(sizes)


def cifar10(path: Path) -> list[Bytes]:
    """Pixels (N, 3072) and labels of training, then of testing, from the binary archive."""
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    with tarfile.open(path) as archive:
        files = [archive.extractfile(f"cifar-10-batches-bin/{name}.bin") for name in names]
        records = [
            np.frombuffer(file.read(), np.uint8).reshape(-1, RECORD) for file in files if file
        ]
    train, test = np.concatenate(records[:-1]), records[-1]
    return [train[:, 1:], train[:, 0], test[:, 1:], test[:, 0]]


def _check(spec: ImageSet, train: Bytes, test: Bytes) -> None:
    found, published = (len(train), len(test)), spec.published
    if found != published:
        raise DataUnavailable(f"the files of {spec.name} hold {found} images, not {published}")


def _scaled(pixels: Bytes, channels: int) -> Floats:
    """(N, C, H·W), from 0 to 1."""
    return pixels.reshape(len(pixels), channels, -1) / PIXEL_MAXIMUM


def _labels(labels: Bytes) -> Labels:
    return labels.astype(np.int64)
