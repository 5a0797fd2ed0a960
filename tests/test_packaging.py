"""The wheel: what is in it, and that it works where nothing of this checkout is in sight."""

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("workloads", "services", "storage", "dashboard")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
SHIPPED = {".py", ".sql", ".yaml", ".html", ".css", ".typ", ".typed"}
"""What belongs into the wheel, by suffix."""


def source_files() -> list[Path]:
    """Every file of the four folders that is not made by running it."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    return [p.relative_to(ROOT) for p in found if p.is_file() and p.suffix != ".pyc"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from what the Dockerfile copies, and from nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    copies = re.findall(r"^COPY (?!--from)(.+) (\S+)$", (ROOT / "Dockerfile").read_text(), re.M)
    before_wheel = [copy for copy in copies if copy[1] != "/constraints.txt"]
    for names, target in before_wheel:
        for name in names.split():
            copy(ROOT / name, folder / "src" / (target if target != "./" else name))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(
        [*build, str(folder / "src")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True, parents=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def contents(wheel: Path) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in zipfile.ZipFile(wheel).namelist()]


def test_the_wheel_installs_nothing_beside_talweg(contents: list[PurePosixPath]) -> None:
    tops = {path.parts[0] for path in contents}
    assert tops == {"talweg", f"talweg-{version()}.dist-info"}
    assert {path.parts[1] for path in contents if path.parts[0] == "talweg"} == set(FOLDERS)


def version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def test_the_wheel_holds_every_file_of_the_four_folders(contents: list[PurePosixPath]) -> None:
    packed = {
        path.relative_to("talweg").as_posix() for path in contents if path.parts[0] == "talweg"
    }
    assert packed == {path.as_posix() for path in source_files()}


def test_the_folders_hold_nothing_that_the_wheel_does_not_know() -> None:
    assert not [path for path in source_files() if path.suffix not in SHIPPED]


def test_the_licence_comes_with_it(contents: list[PurePosixPath]) -> None:
    assert "LICENSE" in {path.name for path in contents}


def test_every_package_of_the_tree_is_declared() -> None:
    packages = {path.parent for path in source_files() if path.name == "__init__.py"}
    expected = {".".join(("talweg", *package.parts)) for package in packages}
    assert set(SETUPTOOLS["packages"]) == expected
    folders = {path.parent for path in source_files()}
    assert folders == packages, "a folder without __init__.py is left out of the wheel"


def test_it_runs_from_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    python = environment_with_our_dependencies(tmp_path / "venv")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    talweg = python.with_name("talweg")
    for arguments in (["--help"], ["plan", "descent"], ["schema"], ["studies"]):
        done = subprocess.run(
            [talweg, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    where = "import talweg.services as s; print(s.__file__)"
    found = subprocess.check_output([python, "-c", where], cwd=tmp_path, text=True)
    assert Path(found.strip()).is_relative_to(tmp_path)


def environment_with_our_dependencies(folder: Path) -> Path:
    """A fresh environment that sees the libraries installed here, but not talweg itself.

    They are linked one by one: a .pth file that named the whole folder would bring along the
    editable install of this checkout.
    """
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    for ours in Path(next(p for p in sys.path if p.endswith("site-packages"))).iterdir():
        if "talweg" not in ours.name and not (theirs / ours.name).exists():
            (theirs / ours.name).symlink_to(ours)
    return python
