"""Reading a grid file: YAML 1.2 with the line of every key, and errors that point at it."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 1_000_000
MAX_NODES = 200_000
"""Above these a file is a mistake or a bomb (aliases count as often as they are used)."""

PLAIN_TAGS = {
    f"tag:yaml.org,2002:{tag}" for tag in ("null", "bool", "int", "float", "str", "seq", "map")
}
OTHER_WORDS = {
    "learning_rate": "lr",
    "batchsize": "batch_size",
    "epoch": "epochs",
    "layers": "depth",
    "hidden": "width",
    "initializer": "init",
    "optim": "optimizer",
    "dataset": "problem",
    "random_seed": "seed",
    "wd": "weight_decay",
}
"""Names that other tools use for ours, where spelling alone would not find the nearest."""

Path_ = tuple[str | int, ...]


class Problem(NamedTuple):
    """One thing that is wrong with a grid file."""

    line: int | None
    key: str
    message: str


class GridError(ValueError):
    """A grid that cannot be used. ``str()`` is the whole message, one line per problem."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(self._line(p) for p in self.problems))

    def _line(self, problem: Problem) -> str:
        where = f"{self.source}:{problem.line}" if problem.line else self.source
        return ": ".join(part for part in (where, problem.key, problem.message) if part)


class Document(NamedTuple):
    """A parsed file: plain values, and the line (from 1) of every path in them."""

    source: str
    value: dict[str, Any]
    lines: Mapping[Path_, int]

    def line_of(self, path: Path_) -> int | None:
        """The line of a path, or of its nearest ancestor that the file holds."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def error(self, path: Path_, message: str) -> GridError:
        """A GridError about one path."""
        return GridError(self.source, [Problem(self.line_of(path), dotted(path), message)])


def dotted(path: Path_) -> str:
    """``("grid", "seed", 2)`` -> ``grid.seed[2]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read(path: Path) -> Document:
    """Parse a grid file.

    Raises:
        GridError: the file is missing, too large, not YAML, not plain data, or no mapping.
    """
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        hint = "" if path.suffix else "; a built-in study is listed by `talweg studies`"
        raise GridError(
            str(path), [Problem(None, "", f"cannot be read ({error.strerror}){hint}")]
        ) from error
    if len(raw) > MAX_BYTES:
        raise GridError(
            str(path), [Problem(None, "", f"is larger than {MAX_BYTES:,} bytes: no grid file is")]
        )
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise GridError(str(path), [Problem(None, "", f"is not UTF-8 text ({error})")]) from error
    return parse(text, str(path))


def parse(text: str, source: str = "<grid>") -> Document:
    """Parse the text of a grid file; see :func:`read`."""
    reader = YAML(typ="safe", pure=True)
    try:
        root = reader.compose(text)
        reader_of_scalars = reader.constructor
        value = _Walk(source, reader_of_scalars)
        plain = value.plain(root, ()) if root is not None else {}
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        reason = " ".join(str(error.problem or error.context).split())
        raise GridError(source, [Problem(line, "", f"not valid YAML: {reason}")]) from error
    except (YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, GridError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise GridError(source, [Problem(None, "", f"not valid YAML: {reason}")]) from error
    if not isinstance(plain, dict):
        raise GridError(
            source,
            [Problem(1, "", f"must be a mapping with name, base and grid, not {_kind(plain)}")],
        )
    return Document(source, plain, value.lines)


class _Walk:
    """Turns composed nodes into plain values while noting lines and counting nodes."""

    def __init__(self, source: str, scalars: SafeConstructor) -> None:
        self.source = source
        self.scalars = scalars
        self.lines: dict[Path_, int] = {}
        self.count = 0

    def plain(self, node: Node, path: Path_) -> Any:
        self.count += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if self.count > MAX_NODES:
            raise self._refuse(path, f"expands to more than {MAX_NODES:,} values (nested aliases?)")
        if node.tag not in PLAIN_TAGS:
            raise self._refuse(path, f"tag {node.tag} is not allowed: plain values only")
        if isinstance(node, ScalarNode):
            return self.scalars.construct_object(node)
        if isinstance(node, SequenceNode):
            return [self.plain(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, MappingNode)
        return self._mapping(node, path)

    def _mapping(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            self.lines[(*path, str(key))] = key_node.start_mark.line + 1
            if key is None or key_node.tag != "tag:yaml.org,2002:str":
                raise self._refuse((*path, str(key)), "keys must be words")
            if key in result:
                raise self._refuse((*path, key), "is given twice")
            result[key] = self.plain(value_node, (*path, key))
        return result

    def _refuse(self, path: Path_, message: str) -> GridError:
        line = self.lines.get(path)
        return GridError(self.source, [Problem(line, dotted(path), message)])


def nearest(word: str, allowed: Sequence[str]) -> str | None:
    """The allowed name that ``word`` was most likely meant to be, or None."""
    if OTHER_WORDS.get(word) in allowed:
        return OTHER_WORDS[word]
    tails = {name.rsplit(".", 1)[-1]: name for name in allowed}
    close = difflib.get_close_matches(word, [*allowed, *tails], n=1, cutoff=0.5)
    return tails.get(close[0], close[0]) if close else None


def not_allowed(value: object, reason: str, allowed: Sequence[str] = ()) -> str:
    """``0 is not allowed (must be greater than 0)``, with the nearest name where there is one."""
    text = f"{_short(value)} is not allowed ({reason})"
    guess = nearest(value, allowed) if isinstance(value, str) else None
    return f"{text}; did you mean '{guess}'?" if guess else text


def unknown_key(key: str, allowed: Sequence[str]) -> str:
    """The message for a key that does not exist."""
    guess = nearest(key, allowed)
    hint = f"; did you mean '{guess}'?" if guess else ""
    return f"unknown key (allowed: {', '.join(allowed)}){hint}"


def explain(error: ErrorDetails, allowed: Sequence[str]) -> str:
    """One pydantic error in our words; ``allowed`` are the names valid at that place."""
    value, kind = error["input"], error["type"]
    context = error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return unknown_key(str(error["loc"][-1]), allowed)
        case "union_tag_invalid":
            names = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
            return not_allowed(value["name"], f"one of {', '.join(names)}", names)
        case "literal_error":
            return not_allowed(value, f"must be {context['expected']}", list(_quoted(context)))
        case "value_error":
            return str(context["error"])
        case _:
            reason = error["msg"].removeprefix("Input should be ").removeprefix("Value should be ")
            return not_allowed(value, f"must be {reason[0].lower()}{reason[1:]}")


def _quoted(context: Mapping[str, Any]) -> Iterator[str]:
    yield from (part.strip(" '") for part in context["expected"].replace(" or ", ",").split(","))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _kind(value: object) -> str:
    names = {list: "a list", str: "text", type(None): "nothing", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)
