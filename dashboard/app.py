"""The frame of the dashboard: arguments, the connection, navigation. Run by ``talweg dashboard``.

Streamlit runs this file as ``__main__``; what stands behind ``--`` on its command line
(:func:`talweg.dashboard.launch.command`) comes in as ``sys.argv``.
"""

import argparse
import functools
import sys
from collections.abc import Sequence

import streamlit as st
from streamlit.navigation.page import Page

from talweg.dashboard import frame
from talweg.dashboard.answers import Answers, read_token
from talweg.dashboard.declarations import SECTIONS
from talweg.dashboard.views import descent, study, sweeps
from talweg.storage.client import Client

# A valley and the line along its floor; mid-tones that stand on light and dark pages.
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 118 32" role="img">
<path d="M3 6 C9 6 10 25 17 25 S25 6 31 6" fill="none" stroke="#2F8FC4" stroke-width="3"
 stroke-linecap="round"/><circle cx="17" cy="25" r="3.4" fill="#D55E00"/>
<text x="40" y="23" font-family="Helvetica, Arial, sans-serif" font-size="21" font-weight="600"
 fill="#6B7C8C">talweg</text></svg>"""

PATIENCE_S = 3.0  # of one question to the store; pages wait less (see Answers)


@st.cache_resource(show_spinner=False)
def answers_of(store: str, token_file: str | None) -> Answers:
    """The answers shared by all sessions of this process."""
    token = read_token(token_file) if token_file else None
    return Answers(Client(store, token=token, patience_s=PATIENCE_S, scope="read"))


def main(arguments: Sequence[str]) -> None:
    """Draw the page that the URL names."""
    parser = argparse.ArgumentParser(prog="talweg dashboard")
    parser.add_argument("--store", required=True, help="database file or grpc:// URL")
    parser.add_argument("--token-file", help="file with the token of a store at a URL")
    given = parser.parse_args(arguments)
    answers = answers_of(given.store, given.token_file)
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
    page = st.navigation({"": [overview], **groups}, expanded=True)
    frame.show(answers, page.run)


def _pages(answers: Answers, section: str) -> dict[str, Page]:
    """Name of a study -> its page, of the studies of one section."""
    pages = {}
    if section == descent.SECTION:
        body = functools.partial(descent.render, answers)
        pages[descent.STUDY] = st.Page(body, title=descent.TITLE, url_path=descent.STUDY)
    for name, declared in SECTIONS[section].items():
        body = functools.partial(study.render, answers, name, declared)
        pages[name] = st.Page(body, title=declared.title, url_path=name)
    return pages


if __name__ == "__main__":
    main(sys.argv[1:])
