"""Who may import whom, read from the code itself (the table in docs/architecture.md)."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("workloads", "services", "storage", "dashboard")

MAY_IMPORT = {
    "workloads": ("workloads",),
    "storage": ("storage", "workloads.spec", "workloads.records"),
    "dashboard": (
        *("dashboard", "storage.client", "storage.errors", "storage.named"),
        *("workloads.spec", "workloads.grid", "workloads.gridfile", "workloads.studies"),
        *("workloads.objectivespecs", "workloads.problems.objectives", "workloads.deciding"),
    ),
    "services": ("services", "storage", "workloads"),
}
"""Folder -> the modules of ours that it may import; cli.py may reach the dashboard, too."""

NEVER = {
    "workloads": {"ray", "duckdb", "streamlit"},
    "storage": {"torch", "ray", "streamlit"},
    "dashboard": {"torch", "ray", "duckdb"},
    "services": {"streamlit", "duckdb"},
}
LIGHT = [
    *("talweg.workloads", "talweg.workloads.spec", "talweg.workloads.grid"),
    *("talweg.workloads.records", "talweg.workloads.studies", "talweg.storage.client"),
    *("talweg.storage.server", "talweg.services.cli", "talweg.services.settings"),
]
"""Modules that must not pay for torch or ray, besides every module of the dashboard."""


def files(folder: str) -> list[Path]:
    return sorted(p.relative_to(ROOT) for p in (ROOT / folder).rglob("*.py"))


CODE = [path for folder in FOLDERS for path in files(folder)]


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """(module, statement) of every import; relative ones as ``storage.client``, from the root.

    ``from ..storage import client`` gives ``storage.client``; so may ``from .x import y`` give
    more than the module x, which the prefixes of MAY_IMPORT allow for.
    """
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # One dot is the file's own package; each further one leads one folder up.
            package = path.parent.parts[: len(path.parent.parts) - (node.level - 1)]
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}".lstrip("."), node) for alias in node.names)


def ours(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """The imports of modules of ours: inside the code they are relative, but for ``app.py``."""
    for module, node in imports(path):
        if relative(node) or begins_with(module, "talweg"):
            yield module.removeprefix("talweg."), node


def begins_with(module: str, prefix: str) -> bool:
    return f"{module}.".startswith(f"{prefix}.")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    wrong = [
        f"{path}: {module}"
        for path in files(folder)
        for module, _ in ours(path)
        if not any(begins_with(module, prefix) for prefix in allowed(path))
    ]
    assert not wrong


def allowed(path: Path) -> tuple[str, ...]:
    more = ("dashboard",) if path == Path("services/cli.py") else ()
    return MAY_IMPORT[path.parts[0]] + more


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_leaves_the_heavy_libraries_of_the_others_alone(folder: str) -> None:
    wrong = [f"{path}: {top}" for path in files(folder) for top in libraries(path) & NEVER[folder]]
    assert not wrong


def libraries(path: Path) -> set[str]:
    """The top-level names of what a file imports absolutely."""
    return {module.split(".")[0] for module, node in imports(path) if not relative(node)}


def relative(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.level > 0


def test_nobody_imports_a_folder_by_its_bare_name() -> None:
    everywhere = [*CODE, *files("tests"), *files("benchmarks")]
    assert not [path for path in everywhere if libraries(path) & set(FOLDERS)]


def test_the_installed_name_is_for_those_who_use_talweg_from_outside() -> None:
    # Streamlit runs app.py as __main__, where relative imports have nothing to be relative to.
    users = [path for path in CODE if "talweg" in libraries(path)]
    assert users == [Path("dashboard/app.py")]


def test_the_command_line_reaches_the_dashboard_only_when_it_is_asked_for() -> None:
    top_level = set(tree(Path("services/cli.py")).body)
    reached = [n for m, n in ours(Path("services/cli.py")) if begins_with(m, "dashboard")]
    assert reached
    assert not top_level & set(reached)


def test_the_environment_is_read_in_one_place() -> None:
    readers = {"environ", "environb", "getenv", "BaseSettings"}
    found = [path for path in CODE if readers & names(path)]
    assert found == [Path("services/settings.py")]


def names(path: Path) -> set[str]:
    """Every name and attribute that a file mentions."""
    nodes = list(ast.walk(tree(path)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {node.id for node in nodes if isinstance(node, ast.Name)}


def test_services_hold_no_sql() -> None:
    sql = re.compile(r"\b(select\s.+\sfrom|insert\s+into|update\s.+\sset|delete\s+from)\b", re.S)
    found = [
        f"{path}:{node.lineno}"
        for path in files("services")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and sql.search(node.value)
    ]
    assert not found


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a statement."""
    probe = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_plans_the_store_and_the_dashboard_start_without_torch_and_ray() -> None:
    pages = [".".join(("talweg", *p.with_suffix("").parts)) for p in files("dashboard")]
    pages = [page.removesuffix(".__init__") for page in pages if page != "talweg.dashboard.app"]
    loaded = loaded_after("\n".join(f"import {module}" for module in LIGHT + pages))
    assert "talweg" in loaded
    assert not loaded & {"torch", "ray"}


def test_talweg_plan_needs_neither_torch_nor_ray_nor_a_store(tmp_path: Path) -> None:
    command = f"main(['plan', 'descent', '--store', {str(tmp_path / 'none.duckdb')!r}])"
    loaded = loaded_after(
        f"from talweg.services.cli import main\ntry:\n    {command}\nexcept SystemExit: pass"
    )
    assert not loaded & {"torch", "ray", "duckdb", "streamlit"}
    assert not list(tmp_path.iterdir())


BARE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
sys.argv = ["engine", "--device", "cpu", "--seconds", "0.001"]
from benchmarks import engine
engine.SIZES = (2,)
engine.main()
"""
"""The engine's own benchmark without the other packages of ours: they cannot be imported."""


def test_the_engine_runs_with_torch_numpy_pydantic_and_scikit_learn_alone() -> None:
    others = {"ray", "duckdb", "pyarrow", "streamlit", "altair", "ruamel", "typer", "rich"}
    done = subprocess.run(
        [sys.executable, "-c", BARE.replace("{names}", repr(others))],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rates = [float(line.split()[-1].replace(",", "")) for line in done.stdout.splitlines()[2:]]
    assert len(rates) == 3
    assert min(rates) > 0
