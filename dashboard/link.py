"""A link to what stands on the page: the address with everything that was chosen."""

import urllib.parse

import streamlit as st


def address(page: str, chosen: dict[str, list[str]]) -> str:
    """The address that opens a page with these choices."""
    query = urllib.parse.urlencode(chosen, doseq=True)
    return f"{page.partition('?')[0]}?{query}" if query else page


def offer() -> None:
    """A menu with the link and its button to copy it."""
    with st.popover("Copy link", icon=":material/link:", type="tertiary"):
        chosen = {key: st.query_params.get_all(key) for key in st.query_params}
        st.code(address(st.context.url or "", chosen), language=None, wrap_lines=True)
        st.caption("Opens this page with the same sweep and the same choices.")
