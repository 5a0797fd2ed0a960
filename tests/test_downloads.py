"""Published files: fetched once, checked, and read in their own formats."""

import gzip
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from talweg.workloads import problems
from talweg.workloads.problems import images
from talweg.workloads.problems.downloads import DataUnavailable, Remote, fetch

from .problem_helpers import spec


@pytest.fixture
def published(tmp_path: Path) -> Iterator[str]:
    """A server of the files in ``tmp_path / "published"``."""
    (tmp_path / "published").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "published"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_file_is_downloaded_once_and_checked(tmp_path: Path, published: str) -> None:
    (tmp_path / "published" / "a.gz").write_bytes(b"content")
    remote = Remote(f"{published}/a.gz", md5(b"content").hexdigest())
    path = fetch(remote, tmp_path / "data")
    assert path.read_bytes() == b"content"
    (tmp_path / "published" / "a.gz").unlink()
    assert fetch(remote, tmp_path / "data") == path
    assert [p.name for p in path.parent.iterdir()] == ["a.gz"]


def test_a_wrong_file_is_kept_aside(tmp_path: Path, published: str) -> None:
    (tmp_path / "published" / "a.gz").write_bytes(b"half")
    remote = Remote(f"{published}/a.gz", md5(b"content").hexdigest())
    with pytest.raises(DataUnavailable, match=r"its MD5 is .*moved to a\.gz\.wrong"):
        fetch(remote, tmp_path / "data")
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["a.gz.wrong"]
    (tmp_path / "published" / "a.gz").write_bytes(b"content")
    assert fetch(remote, tmp_path / "data").read_bytes() == b"content"


def test_without_network_one_error_says_what_to_put_where(tmp_path: Path, published: str) -> None:
    for url in (f"{published}/gone.gz", "http://127.0.0.1:9/gone.gz"):
        with pytest.raises(DataUnavailable) as told:
            fetch(Remote(url, ""), tmp_path / "data")
        assert url in str(told.value)
        assert f"put it into {tmp_path / 'data'}" in str(told.value)
        assert list((tmp_path / "data").iterdir()) == []


def idx(values: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
    return gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes(), 1)


@pytest.mark.parametrize("standardise", [False, True])
def test_mnist_is_read_from_files_of_its_own_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standardise: bool
) -> None:
    draw = np.random.RandomState(0)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".cache" / "talweg" / "data" / "mnist"
    folder.mkdir(parents=True)
    held: list[NDArray[np.uint8]] = []
    for count in (60_000, 10_000):
        pixels = np.zeros((count, 28, 28), np.uint8)
        pixels[:50] = draw.randint(256, size=(50, 28, 28))
        held += [pixels, (np.arange(count) % 10).astype(np.uint8)]
    remotes = []
    for remote, values in zip(images.FILES["mnist"], held, strict=True):
        content = idx(values)
        (folder / remote.name).write_bytes(content)
        remotes.append(Remote(remote.url, md5(content).hexdigest()))
    monkeypatch.setitem(images.FILES, "mnist", tuple(remotes))
    wanted = spec("mnist", samples=40, standardise=standardise)
    data = problems.load(wanted)
    assert data.x_train.shape == (wanted.train_samples, wanted.shape.features) == (40, 784)
    assert len(data.x_train) + len(data.x_test) == wanted.shape.samples
    assert data.y_train.tolist() == [i % 10 for i in range(40)]
    x = held[0][:40].reshape(40, -1) / 255
    assert np.allclose(data.x_train, (x - x.mean()) / x.std() if standardise else x, atol=1e-12)
    assert data.x_train.dtype == np.float64
    assert data.y_train.dtype == np.int64


def test_an_idx_file_that_is_none_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\x00\x00\x0d\x01"))
    with pytest.raises(DataUnavailable, match="no IDX file of bytes"):
        images.idx(path)
    path.write_bytes(gzip.compress(gzip.decompress(idx(np.zeros((3, 2), np.uint8)))[:-1]))
    with pytest.raises(DataUnavailable, match=r"holds \[3 2\] values, but has 5"):
        images.idx(path)


def test_cifar10_is_read_from_the_binary_archive(tmp_path: Path) -> None:
    draw = np.random.RandomState(0)
    records = draw.randint(256, size=(6, 4, 3073)).astype(np.uint8)
    records[:, :, 0] %= 10
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        for name, batch in zip(names, records, strict=True):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            info.size = batch.nbytes
            archive.addfile(info, io.BytesIO(batch.tobytes()))
    x_train, y_train, x_test, y_test = images.cifar10(tmp_path / "c.tar.gz")
    assert np.array_equal(x_train, records[:5].reshape(20, -1)[:, 1:])
    assert np.array_equal(y_train, records[:5].reshape(20, -1)[:, 0])
    assert np.array_equal(x_test, records[5, :, 1:])
    assert np.array_equal(y_test, records[5, :, 0])
