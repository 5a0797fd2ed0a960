"""The form beside a grid's text: it shows what the text says, and writes what is chosen into it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from . import grid_form, grid_text
from .grid_form import PARTS, Field, Schema
from .grid_text import Key

STATE = "grid_text"
"""Key of the session's state: the text, and the version of what did not come from typing."""


def text() -> str:
    """The grid file as it stands."""
    return str(_state()["text"])


def version() -> int:
    """Grows with every text that was not typed."""
    return int(_state()["version"])


def rewrite(new: str) -> None:
    """Replace the text."""
    st.session_state[STATE] = {"text": new, "version": version() + 1}


def typed(new: str, into: int) -> None:
    """Take what was typed, unless the text was replaced meanwhile."""
    if into == version():
        st.session_state[STATE] = {"text": new, "version": into}


def _state() -> dict[str, Any]:
    state: dict[str, Any] = st.session_state.setdefault(STATE, {"text": "", "version": 0})
    return state


def draw(schema: Schema, value: Mapping[str, Any]) -> None:
    """The widgets, with what the text holds in them."""
    for key, column in zip(("name", "team", "owner"), st.columns(3), strict=True):
        found = value.get(key)
        if found is None or isinstance(found, str):
            with column:
                _text(f"submit_{key}", key.capitalize(), found or "", (key,))
    chosen = grid_form.chosen_parts(schema, value)
    varied = value.get("grid")
    axes: Mapping[str, Any] = varied if isinstance(varied, Mapping) else {}
    for section in PARTS:
        _part(schema, value, section, chosen[section], axes)
    _budget(schema, value)
    st.markdown("**What varies**")
    for key, axis in axes.items():
        _text(f"submit_axis_{key}", str(key), grid_text.as_text(axis), ("grid", str(key)), True)
    _vary_also(grid_form.could_vary(schema, chosen), axes)
    st.caption(
        "A list such as `[0.1, 1]`, or `{logspace: [0.001, 1, 7]}`, `{linspace: …}`, "
        "`{range: 5}`. All combinations are trained. An emptied field is taken out."
    )


def _part(
    schema: Schema, value: Mapping[str, Any], section: str, name: str, axes: Mapping[str, Any]
) -> None:
    """One section: which member it is, and the member's settings behind a button."""
    which, more = st.columns([5, 2], vertical_alignment="bottom")
    key = f"submit_{section}"
    varied = section in axes or f"{section}.name" in axes
    st.session_state[key] = name
    which.selectbox(
        section.capitalize(),
        grid_form.names(schema, section),
        key=key,
        disabled=varied,
        help="Varied below" if varied else None,
        on_change=_choose_part,
        args=(key, section),
    )
    found = grid_form.fields(schema, section, name)
    if found:
        with more.popover("", icon=":material/tune:", help=f"Settings of {name}"):
            for field in found:
                shown = grid_form.value_in(value, section, field)
                _setting(section, name, field, shown, f"{section}.{field.key}" in axes)


def _choose_part(key: str, section: str) -> None:
    # The settings of another member are not this one's.
    new = grid_text.one_value(f"{{name: {st.session_state[key]}}}")
    _put(("base", section), new)


def _setting(section: str, name: str, field: Field, value: Any, varied: bool) -> None:
    key = f"submit_{section}_{name}_{field.key}"
    if not field.fits(value):
        st.caption(f"{field.key}: as the text says")
        return
    help_ = "Varied in the grid" if varied else field.help
    _widget(key, field, value, ("base", section, field.key), help_, varied)


def _widget(
    key: str, field: Field, value: Any, place: Key, help_: str, disabled: bool = False
) -> None:
    """The widget of one setting; it holds what the text holds."""
    common: dict[str, Any] = {
        "key": key, "help": help_ or None, "disabled": disabled,
        "on_change": _choose, "args": (key, field, place),
    }  # fmt: skip
    number = {"integer": int, "number": float}.get(field.kind)
    st.session_state[key] = number(value) if number and value is not None else value
    if number:
        low, high = (None if end is None else number(end) for end in (field.minimum, field.maximum))
        form = "%d" if number is int else "%g"
        st.number_input(
            field.key, low, high, value=None, format=form, placeholder="none", **common
        )  # fmt: skip
    elif field.kind == "boolean":
        st.toggle(field.key, **common)
    elif field.kind == "choice":
        st.selectbox(field.key, field.choices, format_func=grid_text.as_text, **common)
    else:
        st.text_input(field.key, **common)


def _choose(key: str, field: Field, place: Key) -> None:
    new = st.session_state[key]
    if new == field.default or (new is None and not field.optional):
        new = None
    elif field.part:
        new = grid_text.one_value(f"{{name: {new}}}")
    _put(place, new)


def _budget(schema: Schema, value: Mapping[str, Any]) -> None:
    """Passes, updates or samples: one of the three, so choosing one takes the others away."""
    given = grid_text.get(value, ("base", "budget"))
    for field, column in zip(
        grid_form.budget(schema), st.columns(3, vertical_alignment="bottom"), strict=True
    ):
        found = given.get(field.key) if isinstance(given, Mapping) else None
        if not field.fits(found):
            continue
        key = f"submit_budget_{field.key}"
        st.session_state[key] = found
        column.number_input(
            field.key.capitalize(), 0, value=None, key=key, help=field.help,
            on_change=_choose_budget, args=(key, field.key),
        )  # fmt: skip


def _choose_budget(key: str, name: str) -> None:
    count = st.session_state[key]
    new = None if count is None else grid_text.one_value(f"{{{name}: {count}}}")
    _put(("base", "budget"), new)


def _vary_also(could: Mapping[str, Any], axes: Mapping[str, Any]) -> None:
    st.session_state["submit_vary"] = None
    more = [key for key in could if key not in axes]
    st.selectbox(
        "Vary also", more, index=None, key="submit_vary", placeholder="a setting",
        on_change=_vary, args=(could,),
    )  # fmt: skip


def _vary(could: Mapping[str, Any]) -> None:
    if (key := st.session_state["submit_vary"]) is not None:
        _put(("grid", key), grid_text.one_value(grid_text.as_text(could[key])))


def _text(key: str, label: str, shown: str, place: Key, axis: bool = False) -> None:
    st.session_state[key] = shown
    st.text_input(label, key=key, on_change=_write, args=(key, place, axis))


def _write(key: str, place: Key, axis: bool) -> None:
    new = st.session_state[key].strip()
    try:
        _put(place, (grid_text.one_value(new) if axis else new) if new else None)
    except ValueError as error:
        st.session_state["submit_refused"] = f"{place[-1]}: {new!r} is no list of values ({error})"


def _put(place: Key, new: Any) -> None:
    rewrite(grid_text.put(text(), place, new))
