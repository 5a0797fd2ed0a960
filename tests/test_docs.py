"""The documentation says what is there, all of it, and nothing that is not."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer.core
import typer.main
from typer.core import TyperCommand as Command

from talweg.services.cli import app
from talweg.services.settings import Settings
from talweg.storage import migrate, named
from talweg.workloads import grid, studies
from talweg.workloads.grid import GridSpec

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("benchmarks/**/*.md")])
SCHEMA = GridSpec.model_json_schema()


def sections(page: str) -> dict[str, str]:
    """Heading (without backticks) -> the text under it, up to the next heading."""
    parts = re.split(r"^#+ (.+)$", (DOCS / page).read_text(), flags=re.M)
    names = (name.replace("`", "") for name in parts[1::2])
    return dict(zip(names, parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of the Markdown tables in a text whose first cell is code; no headings."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def cells(page: str, heading: str) -> dict[str, list[str]]:
    """First cell -> the other cells of the tables under a heading, without backticks."""
    table = rows(sections(page)[heading])
    return {row[0].replace("`", ""): [cell.strip("`") for cell in row[1:]] for row in table}


def fields(
    schema: dict[str, Any], defaults: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """(dotted key, default as the docs write it) of every field below a schema.

    ``defaults`` is the dumped model; what it does not hold (the other members of a union) has
    its own default in the schema, or none.
    """
    for name, field in schema["properties"].items():
        parts = [form for form in forms(field) if "properties" in form]
        default = defaults.get(name, field.get("default", ...))
        if default is None or not parts:
            yield prefix + name, "required" if default is ... else json.dumps(default)
        for part in parts:
            below = default if isinstance(default, dict) else {}
            yield from fields(part, below, f"{prefix}{name}.")


def forms(field: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas that a field may follow, unions of unions taken apart."""
    members = field.get("anyOf") or field.get("oneOf")
    if members is None:
        yield resolved(field)
    for member in members or []:
        yield from forms(member)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference of the grid's schema points to."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = SCHEMA["$defs"][reference] if reference else schema
    return found


def without(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    return {"properties": {k: v for k, v in schema["properties"].items() if k not in names}}


def test_the_grid_page_lists_every_key_of_a_trial_with_its_default() -> None:
    documented = {key: row[0] for key, row in cells("grid-file.md", "Keys of a trial").items()}
    trial = without(SCHEMA["$defs"]["TrialSpec"], "record", "timing")
    defaults = GridSpec(name="any").base.model_dump(mode="json")
    assert documented == dict(fields(trial, defaults))


def test_the_grid_page_lists_every_key_of_the_file_with_its_default() -> None:
    documented = {key: row[0] for key, row in cells("grid-file.md", "Keys of the file").items()}
    assert (documented.pop("base"), documented.pop("record")) == ("all defaults", "see below")
    defaults = GridSpec(name="any").model_dump(mode="json", exclude={"name"})
    assert documented == dict(fields(without(SCHEMA, "base"), defaults))


def test_the_probes_page_lists_every_setting_with_its_default() -> None:
    documented = {key: row[0] for key, row in cells("probes.md", "Settings").items()}
    probes = [
        resolved(part)
        for part in SCHEMA["$defs"]["Record"]["properties"]["probes"]["items"]["anyOf"][0]["oneOf"]
    ]
    expected: dict[str, str] = {}
    for probe in probes:
        name = probe["properties"]["name"]["const"]
        expected |= fields(without(probe, "name"), {}, f"{name}.")
    assert documented == expected


@pytest.mark.parametrize("form", ["LogSpace", "LinSpace", "Range", "Values"])
def test_the_grid_page_shows_every_form_of_an_axis(form: str) -> None:
    (key,) = SCHEMA["$defs"][form]["properties"]
    assert f"{{{key}: " in sections("grid-file.md")["Axes"]


def test_every_allowed_word_of_a_grid_file_stands_on_its_page() -> None:
    page = (DOCS / "grid-file.md").read_text() + (DOCS / "probes.md").read_text()
    words = [word for schema in SCHEMA["$defs"].values() for word in allowed(schema)]
    assert words
    assert not [word for word in words if not re.search(f'`"?{word}"?`', page)]


def allowed(schema: dict[str, Any]) -> Iterator[str]:
    """The words that the fields of a schema may be."""
    for field in schema["properties"].values():
        for place in (field, field.get("items", {})):
            choices = [*place.get("enum", []), place.get("const")]
            yield from (choice for choice in choices if isinstance(choice, str))


GRIDS = [
    pytest.param(page, block, id=f"{page.stem}-{i}")
    for page in PAGES
    for i, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S))
    if "base:" in block and page.stem != "extending"  # tests/test_extending.py trains those
]


@pytest.mark.parametrize(("page", "block"), GRIDS)
def test_every_grid_in_the_docs_expands(
    page: Path, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_python(page, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "grid.yaml"
    file.write_text(block)
    assert grid.load(file).trials


def write_python(page: Path, folder: Path) -> None:
    """Save the Python files that a page shows, each under the name in the line before it."""
    shown = re.findall(r"^`(\w+\.py)`.*:\n\n```python\n(.*?)^```", page.read_text(), re.M | re.S)
    for name, text in shown:
        (folder / name).write_text(text)


def test_a_module_of_ones_own_trains_as_the_page_shows_it(tmp_path: Path) -> None:
    page = DOCS / "grid-file.md"
    write_python(page, tmp_path)
    (text,) = re.findall(r"^```yaml\n(name: own\n.*?)^```", page.read_text(), re.M | re.S)
    (tmp_path / "own.yaml").write_text(text)
    command = [sys.executable, "-m", "talweg.services", "run", "own.yaml", "--json"]
    done = subprocess.run(
        [*command, "--executor", "inline"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["outcomes"] == {"done": 15}
    assert found["packs"] < 15  # stacked


def commands(group: typer.core.TyperGroup, prefix: str = "talweg") -> Iterator[tuple[str, Command]]:
    """(words, command) of every command that does something itself."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{prefix} {name}")
        elif isinstance(command, Command):
            yield f"{prefix} {name}", command


COMMANDS = dict(commands(typer.main.get_group(app)))


@pytest.mark.parametrize("words", COMMANDS)
def test_the_commands_page_has_a_section_with_every_option_and_no_other(words: str) -> None:
    command = COMMANDS[words]
    arguments = [p for p in command.params if isinstance(p, typer.core.TyperArgument)]
    heading = " ".join([words, *map(argument_words, arguments)])
    options = [p for p in command.params if isinstance(p, typer.core.TyperOption)]
    expected = {flag for p in options for flag in [*p.opts, *p.secondary_opts]}
    documented = {flag for cell in cells("commands.md", heading) for flag in cell.split(", ")}
    assert documented == expected


def argument_words(argument: typer.core.TyperArgument) -> str:
    name = (argument.metavar or str(argument.name)).strip("{}[]").upper()
    return name if argument.required else f"[{name}]"


def test_the_commands_page_describes_no_command_that_is_not_there() -> None:
    described = [name for name in sections("commands.md") if name.startswith("talweg ")]
    assert len(described) == len(COMMANDS)


def test_the_commands_page_lists_every_setting() -> None:
    documented = set(cells("commands.md", "Settings"))
    assert documented == {f"TALWEG_{name.upper()}" for name in Settings.model_fields}


def test_the_tables_page_says_of_every_column_what_the_store_says() -> None:
    with duckdb.connect() as con:
        migrate.migrate(con)
        asked = con.execute(named.sql_of("columns")).fetchall()
    told = {(table, column): said for table, column, *said in asked}
    documented = {
        (heading, column): [cell.replace("`", "") for cell in row]
        for heading in sections("tables.md")
        for column, row in cells("tables.md", heading).items()
    }
    assert documented == told
    assert all(unit and meaning for _, unit, meaning in told.values())


def test_every_study_has_a_page_of_its_own() -> None:
    pages = {page.stem for page in (DOCS / "studies").glob("*.md")}
    assert pages == set(studies.names())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, by GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


SHELL = [
    pytest.param(line, id=f"{page.stem}: {line}")
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S)
    for line in block.splitlines()
    if re.match(r"(\.venv/bin/)?(talweg|make)\b", line)
]


@pytest.mark.parametrize("line", SHELL)
def test_commands_in_the_docs_are_ones_that_exist(line: str) -> None:
    program, *words = shlex.split(line.split(" > ")[0], comments=True)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert {word for word in words if "=" not in word} <= set(targets)
        return
    name = next(n for n in COMMANDS if f"talweg {' '.join(words)} ".startswith(f"{n} "))
    # Parsing alone: nothing is run, but an unknown option or a missing argument raises.
    COMMANDS[name].make_context(name, words[len(name.split()) - 1 :])


def test_the_readme_opens_with_the_two_commands() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert blocks[0].split("\n")[:2] == ["make demo", "make test"]


def test_the_readme_tree_shows_every_folder_and_nothing_that_is_gone() -> None:
    tree = re.search(r"^```text\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert tree
    shown = {line.split()[0] for line in tree[1].splitlines() if line and line[0] != " "}
    assert all((ROOT / name).exists() for name in shown)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert {f"{folder}/" for folder in packages["package-dir"].values()} <= shown
