"""The frame of the dashboard: arguments, the connection, navigation. Run by ``talweg dashboard``.

Streamlit runs this file as ``__main__``; what stands behind ``--`` on its command line
(:func:`talweg.dashboard.launch.command`) comes in as ``sys.argv``.
"""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.navigation.page import Page

from talweg.dashboard import access_page, frame, link, report_shelf
from talweg.dashboard.answers import Answers, read_token
from talweg.dashboard.declarations import SECTIONS
from talweg.dashboard.submit import Starter
from talweg.dashboard.views import (
    compare,
    descent,
    health,
    losses,
    reports,
    sql,
    study,
    submit,
    sweeps,
    trials,
)
from talweg.storage import named
from talweg.storage.client import Client
from talweg.workloads.grid import GridSpec
from talweg.workloads.spec import TrialSpec

# A valley and the line along its floor; mid-tones that stand on light and dark pages.
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 118 32" role="img">
<path d="M3 6 C9 6 10 25 17 25 S25 6 31 6" fill="none" stroke="#2F8FC4" stroke-width="3"
 stroke-linecap="round"/><circle cx="17" cy="25" r="3.4" fill="#D55E00"/>
<text x="40" y="23" font-family="Helvetica, Arial, sans-serif" font-size="21" font-weight="600"
 fill="#6B7C8C">talweg</text></svg>"""

PATIENCE_S = 3.0  # of one question to the store; pages wait less (see Answers)


@st.cache_resource(show_spinner=False)
def answers_of(store: str, token_file: str | None, ca: Path | None = None) -> Answers:
    """The answers shared by all sessions of this process."""
    token = read_token(token_file) if token_file else None
    return Answers(Client(store, token=token, patience_s=PATIENCE_S, scope="read", ca=ca))


@st.cache_resource(show_spinner=False)
def starter_of(store: str) -> Starter:
    """What starts sweeps; shared, so that all sessions see what runs."""
    return Starter(store)


@st.cache_resource(show_spinner=False)
def grid_schema() -> dict[str, Any]:
    """The JSON Schema of grid files."""
    return GridSpec.model_json_schema()


def main(arguments: Sequence[str]) -> None:
    """Draw the page that the URL names."""
    given = _parsed(arguments)
    answers = answers_of(given.store, given.token_file, given.ca)
    st.set_page_config(page_title="talweg", layout="wide")
    st.logo(LOGO, size="large")
    pages = {section: _pages(answers, section) for section in SECTIONS}
    studies = {name: page for group in pages.values() for name, page in group.items()}
    overview = st.Page(
        functools.partial(sweeps.render, answers, studies),
        title=sweeps.TITLE,
        default=True,
    )
    groups = {section: list(group.values()) for section, group in pages.items()}
    is_open = access_page.is_open(given.login)
    page = st.navigation(
        {"": [overview, *_tools(answers, given, overview)], **groups},
        position="sidebar" if is_open else "hidden",
        expanded=True,
    )
    if not is_open:  # all pages are known, so that a link is no unknown page; none is run
        access_page.draw()
        return
    with st.sidebar:
        frame.filters(answers)
    frame.show(answers, page.run)
    with st.sidebar:
        link.offer()  # after the page: it names what was chosen there
        if given.login:
            access_page.leave()


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="talweg dashboard")
    parser.add_argument("--store", required=True, help="database file or grpc:// URL")
    parser.add_argument("--token-file", help="file with the token of a store at a URL")
    parser.add_argument("--ca", type=Path, help="roots that a store's certificate is checked by")
    parser.add_argument("--login", action="store_true", help="ask who it is, see access_page")
    parser.add_argument("--reports", type=Path, help="folder of the reports made here")
    parser.add_argument("--submit", action="store_true", help="sweeps may be started from here")
    return parser.parse_args(arguments)


def _tools(answers: Answers, given: argparse.Namespace, overview: Page) -> list[Page]:
    """The pages of no study, beside the overview."""
    shelf = given.reports or report_shelf.folder_beside(given.store)
    may_submit = access_page.may_submit(given.login, given.submit)
    starter = starter_of(given.store) if may_submit else None
    owner = access_page.address() if given.login else None
    bodies = {
        "compare": (compare.TITLE, functools.partial(compare.render, answers)),
        "trials": (trials.TITLE, functools.partial(trials.render, answers, TrialSpec)),
        "reports": (reports.TITLE, functools.partial(reports.render, answers, shelf)),
        "submit": (
            submit.TITLE,
            functools.partial(submit.render, answers, grid_schema(), starter, owner, overview),
        ),
        "sql": (sql.TITLE, functools.partial(sql.render, answers, named)),
    }
    return [st.Page(body, title=title, url_path=url) for url, (title, body) in bodies.items()]


def _pages(answers: Answers, section: str) -> dict[str, Page]:
    """Name of a study -> its page, of the studies of one section."""
    pages: dict[str, Page] = {}
    if section == descent.SECTION:
        body = functools.partial(descent.render, answers)
        pages[descent.STUDY] = st.Page(body, title=descent.TITLE, url_path=descent.STUDY)
    if section == losses.SECTION:
        body = functools.partial(losses.render, answers, pages)
        pages[losses.URL] = st.Page(body, title=losses.TITLE, url_path=losses.URL)
    if section == health.SECTION:
        body = functools.partial(health.render, answers)
        pages[health.URL] = st.Page(body, title=health.TITLE, url_path=health.URL)
    for name, declared in SECTIONS[section].items():
        body = functools.partial(study.render, answers, name, declared)
        pages[name] = st.Page(body, title=declared.title, url_path=name)
    return pages


if __name__ == "__main__":
    main(sys.argv[1:])
