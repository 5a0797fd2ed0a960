"""The examples of docs/extending.md, each applied to a copy of the code and trained."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()
FOLDERS = ("workloads", "services", "storage", "dashboard")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


def apply(diff: str, root: Path) -> None:
    """Make the changes of one block; each run of context and removed lines must be there once."""
    file, before, after = root, [""], [""]

    def flush() -> None:
        old, new = "".join(before), "".join(after)
        if file == root or old == new:
            return
        text = file.read_text() if file.exists() else ""
        assert text.count(old) == 1 or not text, f"{file.name}: {old!r}"
        file.write_text(text.replace(old, new, 1) if text else new)

    added = False
    for line in diff.splitlines(keepends=True):
        if line.startswith(("--- ", "+++ ")):
            flush()
            file, before, after, added = root / line[4:].strip(), [], [], False
            continue
        # A context or removed line after an added one may begin the next place of the file.
        if added and not line.startswith("+") and _apart(file, before, line):
            flush()
            before, after, added = [], [], False
        if not line.startswith("+"):
            before.append(line[1:] or "\n")
        if not line.startswith("-"):
            after.append(line[1:] or "\n")
        added = added or line.startswith("+")
    flush()


def _apart(file: Path, before: list[str], line: str) -> bool:
    """Whether the line does not follow those before it in the file."""
    return bool(before) and "".join([*before, line[1:]]) not in file.read_text()


@pytest.mark.parametrize("title", SECTIONS)
def test_each_example_is_complete(title: str, tmp_path: Path) -> None:
    section = SECTIONS[title]
    for folder in FOLDERS:
        source = tmp_path / "talweg" / folder
        # With what Python compiled already: times of the files come along, and so it is valid.
        shutil.copytree(ROOT / folder, source)
    for diff in re.findall(r"^```diff\n(.*?)^```", section, re.M | re.S):
        apply(diff, tmp_path / "talweg")
    for name, text in re.findall(r"^`(\w+\.csv)`.*:\n\n```csv\n(.*?)^```", section, re.M | re.S):
        (tmp_path / name).write_text(text)
    (grid,) = re.findall(r"^```yaml\n(.*?)^```", section, re.M | re.S)
    (tmp_path / "grid.yaml").write_text(grid)
    # -S and a path of our own: the installed talweg is this repository, not the copy.
    installed = [path for path in sys.path if path.endswith("site-packages")]
    command = [sys.executable, "-S", "-m", "talweg.services", "run", "grid.yaml"]
    done = subprocess.run(
        [*command, "--json", "--executor", "inline"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *installed])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert found["outcomes"] == {"done": found["trials"]}
    assert found["trials"] >= 2
