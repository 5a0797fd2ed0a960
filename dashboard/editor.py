"""A text area that hands over what is typed while it is typed, with numbered lines.

Streamlit's own text area tells of a change when it is left; a grid is to be checked before.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

PAUSE_MS = 400
"""Typing is handed over when it rests for so long."""

_HTML = """<div class="editor"><pre class="lines" aria-hidden="true"></pre>
<textarea spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off"></textarea></div>"""

_CSS = """
.editor { display: flex; height: 440px; font: 13px/1.5 var(--st-code-font, monospace);
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius, 8px);
  overflow: hidden; }
.editor:focus-within { border-color: var(--st-primary-color); }
.lines { margin: 0; padding: 10px 8px 10px 10px; text-align: right; opacity: .75; font: inherit;
  overflow: hidden; user-select: none; min-width: 2.2em; box-sizing: border-box; }
.lines b { color: #fff; background: #b3261e; border-radius: 3px; padding: 0 3px; }
textarea { flex: 1; margin: 0; padding: 10px; font: inherit; color: inherit; resize: none;
  background: transparent; border: 0; outline: 0; white-space: pre; overflow: auto; tab-size: 2; }
"""

_JS = """
export default function ({ data, parentElement, setStateValue }) {
  const area = parentElement.querySelector("textarea");
  const lines = parentElement.querySelector(".lines");
  const mark = () => {
    lines.replaceChildren();
    const wrong = new Set(area.wrong || []);
    area.value.split("\\n").forEach((_, i) => {
      const number = document.createElement(wrong.has(i + 1) ? "b" : "span");
      number.textContent = i + 1;
      lines.append(number, "\\n");
    });
    lines.scrollTop = area.scrollTop;
  };
  area.setAttribute("aria-label", data.label);
  // What the form or a study wrote has a new version; an answer to typing has the old one, and
  // must not take back what was typed since.
  if (area.version !== data.version) {
    clearTimeout(area.timer);
    area.value = data.text;
    area.version = data.version;
  }
  area.wrong = data.wrong;
  area.onscroll = () => { lines.scrollTop = area.scrollTop; };
  area.oninput = () => {
    mark();
    clearTimeout(area.timer);
    area.timer = setTimeout(
      () => setStateValue("typed", { version: area.version, text: area.value }), data.pause);
  };
  mark();
}
"""


@functools.cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("talweg_editor", html=_HTML, css=_CSS, js=_JS)


def editor(
    key: str,
    label: str,
    text: str,
    version: int,
    wrong: Sequence[int],
    typed: Callable[[str, int], None],
) -> None:
    """Draw the text; ``typed(text, version)`` is called with what was typed into which version.

    Args:
        key: of the component, unique on the page.
        label: what it is, for screen readers.
        text: shown when ``version`` is not the one that it shows already.
        version: grows with every text that does not come from here.
        wrong: lines to mark, from 1.
        typed: told of a change, before the page is drawn again.
    """

    def changed() -> None:
        said: dict[str, Any] = st.session_state[key]["typed"] or {}
        if isinstance(said.get("text"), str):
            typed(said["text"], int(said.get("version", -1)))

    data = {
        "label": label, "text": text, "version": version, "wrong": list(wrong), "pause": PAUSE_MS,
    }  # fmt: skip
    _component()(key=key, data=data, default={"typed": None}, on_typed_change=changed)
