"""The dashboard's client and live sections, watched; imported once, by watched_app.py.

$TALWEG_QUESTIONS names a file that gets a line of JSON per question, $TALWEG_REFRESHES one that
grows by a byte per live section drawn; $TALWEG_LIVE_S shortens the pause between refreshes.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from talweg.dashboard import app, frame
from talweg.dashboard.answers import Answers
from talweg.storage.client import Client

from .site import LIVE_S, QUESTIONS, REFRESHES

draw = frame.calm


def note(variable: str, text: str) -> None:
    """Add to the file that the environment names, if it does."""
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as notes:
            notes.write(text)


class WatchedClient(Client):
    """A client that writes down each question before it is asked."""

    def query(self, query: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """As :meth:`.Client.query`."""
        note(QUESTIONS, json.dumps([query, params or {}]) + "\n")
        return super().query(query, params)


def calm(answers: Answers, body: Callable[[], None]) -> None:
    """As :func:`.frame.calm`, which draws every live section."""
    note(REFRESHES, ".")
    draw(answers, body)


def watch() -> None:
    """Put all of it in the place of what is watched."""
    vars(app)["Client"] = WatchedClient
    frame.calm = calm
    frame.LIVE_S = float(os.environ.get(LIVE_S, frame.LIVE_S))
