"""The text of a grid file, changed key by key: comments, order and layout stay."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

EMPTY = "name: my-sweep\nbase:\n  budget: {epochs: 5}\ngrid:\n  seed: {range: 3}\n"
OUTSIDE = {"module", "file", "openml"}
"""Parts whose mere validation reads files of this machine, runs code of it, or downloads."""

LABELS = ("study", "team", "owner")
Key = tuple[str, ...]


def value_of(text: str) -> Mapping[str, Any] | None:
    """What the text holds; None while it is no YAML, or no mapping."""
    try:
        found = _yaml().load(text)
    except (YAMLError, ValueError, RecursionError):
        return None
    if found is None:
        return {}
    return found if isinstance(found, CommentedMap) else None


def get(value: Mapping[str, Any], key: Key) -> Any:
    """What stands at a key, or None. A part given by its name alone is a mapping with a name."""
    found: Any = value
    for word in key:
        if isinstance(found, str):
            found = {"name": found}
        if not isinstance(found, Mapping):
            return None
        found = found.get(word)
    return found


def put(text: str, key: Key, value: Any) -> str:
    """The text with another value at a key; None takes the key away."""
    yaml = _yaml()
    whole = yaml.load(text)
    if whole is None:
        whole = CommentedMap()
    place = whole
    for word in key[:-1]:
        below = place.get(word)
        if not isinstance(below, CommentedMap):
            below = _flow({"name": below} if isinstance(below, str) else {}, key)
            place[word] = below
        place = below
    if value is None:
        place.pop(key[-1], None)
    elif key[0] in LABELS and key[0] not in place:
        place.insert(min(1, len(place)), key[0], value)  # below the name, not below the grid
    else:
        place[key[-1]] = value
    out = io.StringIO()
    yaml.dump(whole, out)
    return out.getvalue()


def _flow(value: Mapping[str, Any], key: Key) -> CommentedMap:
    """A new mapping: on one line inside ``base``, over several at the top."""
    made = CommentedMap(value)
    if len(key) > 2:
        made.fa.set_flow_style()
    return made


def one_value(text: str) -> Any:
    """A value as it would stand in the file: a number, a word, a list, ``{logspace: […]}``.

    Raises:
        ValueError: it is no YAML.
    """
    try:
        return _yaml().load(text)
    except (YAMLError, RecursionError) as error:
        raise ValueError(str(error).splitlines()[0]) from error


def as_text(value: Any) -> str:
    """A value on one line, as :func:`one_value` reads it."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.width = 10_000
    out = io.StringIO()
    yaml.dump(_plain(value), out)
    return out.getvalue().removesuffix("...\n").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    for kind in (bool, int, float):  # ruamel's own kinds of values remember their layout
        if isinstance(value, kind):
            return kind(value)
    return value if value is None else str(value)


def reaches_outside(text: str) -> bool:
    """Whether a grid names a part of :data:`OUTSIDE`, or cannot be looked through."""
    reader = YAML(typ="safe", pure=True)
    try:
        root = reader.compose(text)
    except (YAMLError, ValueError, RecursionError):
        return False  # planning says what is wrong with it, and goes no further
    return any(word in OUTSIDE for word in _scalars(root))


def _scalars(root: Node | None) -> Iterator[str]:
    """Every scalar of a document, each node once however many aliases point at it."""
    seen, left = set(), [root] if root is not None else []
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode):
            yield str(node.value)
        elif isinstance(node, SequenceNode):
            left.extend(node.value)
        elif isinstance(node, MappingNode):
            left.extend(part for pair in node.value for part in pair)


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 100
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
