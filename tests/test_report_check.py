"""``talweg report --check``: a report is proven, or it is said what differs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from talweg.dashboard.report import check, making, seal, software
from talweg.dashboard.report.order import ENDINGS, Order
from talweg.services.cli import main
from talweg.storage.client import Client

from . import dashboard_data as data
from .storage_helpers import local_store

SWEEP = "descent-1a2b"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        yield client


@pytest.fixture(scope="module")
def reports(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the summary in every form."""
    folder = tmp_path_factory.mktemp("reports")
    for ending in ENDINGS:
        making.write(client, Order((SWEEP,), summary=True), folder / f"{ending}.{ending}")
    return folder


def checked(client: Client, path: Path) -> check.Checked:
    return check.check(making.asking(client), path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_report_is_proven_by_its_store(client: Client, reports: Path, ending: str) -> None:
    found = checked(client, reports / f"{ending}.{ending}")
    assert found.wrong == ()
    (proof,) = found.proven
    assert SWEEP in proof
    assert ("files beside it" in proof) == (ending in ("md", "tex"))


def test_a_changed_digit_is_found_and_shown(client: Client, reports: Path, tmp_path: Path) -> None:
    text = (reports / "html.html").read_text(encoding="utf-8")
    assert "1.68 k (1.42 k" in text
    file = tmp_path / "html.html"
    file.write_text(text.replace("1.68 k (1.42 k", "1.58 k (1.42 k"), encoding="utf-8")
    found = checked(client, file)
    assert found.proven == ()
    assert any(line.startswith("text: it was changed after it was made") for line in found.wrong)
    (differs,) = (line for line in found.wrong if line.startswith("text: made again"))
    assert "-" in differs
    assert "1.58 k (1.42 k" in differs


def test_a_forger_who_seals_again_is_found_by_the_data(
    client: Client, reports: Path, tmp_path: Path
) -> None:
    forged = (reports / "html.html").read_bytes().replace(b"1.68 k (1.42", b"1.58 k (1.42")
    old = seal.read(forged).content.encode()
    files = seal.sealed({"html.html": forged.replace(old, b"0" * 64)})
    assert seal.is_whole(files)
    (tmp_path / "html.html").write_bytes(files["html.html"])
    found = checked(client, tmp_path / "html.html")
    assert [line.split(":")[0] for line in found.wrong] == ["text"]
    assert "1.58 k (1.42" in found.wrong[0]


@pytest.mark.parametrize("ending", ["md", "tex"])
def test_a_figure_beside_it_belongs_to_it(client: Client, tmp_path: Path, ending: str) -> None:
    making.write(client, Order((SWEEP,), summary=True), tmp_path / f"s.{ending}")
    file = sorted((tmp_path / "s.files").iterdir())[0]
    kept = file.read_bytes()
    file.write_bytes(kept + b" ")
    assert "text: it was changed" in checked(client, tmp_path / f"s.{ending}").wrong[0]
    file.unlink()
    assert "missing or empty" in checked(client, tmp_path / f"s.{ending}").wrong[0]
    file.write_bytes(kept)
    assert checked(client, tmp_path / f"s.{ending}").wrong == ()


def test_data_that_changed_since_are_named(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        data.fill(client, "live", running=True)
        (path,) = making.write(client, Order(("live",), summary=True), tmp_path / "r.html")
        trial = data.grid(running=True)[-1]
        more = {"endings": data.ending_columns("live", trial)}
        client.append("synthetic-live", data.next_sequence(True), more)
        found = checked(client, path)
        changed = [line for line in found.wrong if line.startswith("data:")]
        assert changed == ["data: live has changed: trials 75 rows with other values"]
    (tmp_path / "empty").mkdir()
    with local_store(tmp_path / "empty") as empty:
        assert checked(empty, path).wrong == ("data: this store holds no sweep 'live'",)


def test_another_version_is_named(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = making.write(client, Order((SWEEP,), summary=True), tmp_path / "r.html")
    newer = {**software.versions("altair", "vl-convert-python"), "altair": "99.0"}
    monkeypatch.setattr(making, "software", lambda ending: newer)
    found = checked(client, path)
    assert "(here 99.0)" in found.wrong[0]
    assert found.wrong[0].startswith("versions: made by altair ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.html", b"<p>no report</p>"),
        ("r.html", b"talweg-report:%7B%7D:" + b"0" * 64),
        ("r.pdf", b"%PDF-1.7"),
        ("r.txt", b"talweg-report:%7B%7D:" + b"0" * 64),
    ],
)
def test_a_file_that_is_no_report_is_bad_input(
    client: Client, tmp_path: Path, name: str, content: bytes
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(seal.NotAReport):
        checked(client, file)


def test_a_report_reads_no_file_but_those_in_its_folder(client: Client, tmp_path: Path) -> None:
    (tmp_path / "secret.files").mkdir()
    (tmp_path / "secret.files" / "x.svg").write_text("secret")
    folder = tmp_path / "in"
    making.write(client, Order((SWEEP,), summary=True), folder / "s.md")
    text = (folder / "s.md").read_text(encoding="utf-8")
    (folder / "s.md").write_text("![x](../secret.files/x.svg)\n" + text, encoding="utf-8")
    assert "../secret.files/x.svg is missing" in checked(client, folder / "s.md").wrong[0]


@pytest.mark.parametrize(("changed", "code"), [(False, None), (True, 1), (None, 2)])
def test_the_command_says_it_with_its_exit_code(
    client: Client, reports: Path, tmp_path: Path, changed: bool | None, code: int | None,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = tmp_path / "html.html"
    text = (reports / "html.html").read_text(encoding="utf-8")
    file.write_text({False: text, True: text + " ", None: "x"}[changed], encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["report", "--check", str(file), "--store", client.where])
    assert left.value.code == (code or 0)
    said = "".join(capsys.readouterr())
    words = {False: "byte for byte", True: "changed after it was made", None: "is not a report"}
    assert words[changed] in said
