"""The door: nothing is asked of the store for whoever has not logged in."""

import streamlit as st

from . import access


def is_open(login: bool) -> bool:
    """Whether this session may see the pages; ``login``: whether one is asked for."""
    return not login or (bool(st.user.is_logged_in) and access.admits(_listed("allowed"), _user()))


def may_submit(login: bool, submit: bool) -> bool:
    """Whether this session may start sweeps."""
    if not login:
        return submit
    return submit and is_open(login) and access.admits(_listed("writers"), _user())


def draw() -> None:
    """The page of those who are not in: a login, or why there is none for this address."""
    st.title("talweg")
    if not st.user.is_logged_in:
        st.markdown("The pages of this dashboard are shown after a login.")
        st.button("Log in", type="primary", icon=":material/login:", on_click=st.login)
        return
    st.error("This account may not see this dashboard.", icon=":material/block:")
    st.text(f"Logged in as {address()}")
    st.caption(
        "Whoever runs it says who may (`TALWEG_OIDC_ALLOWED`); an address that the identity "
        "provider has not verified does not count."
    )
    st.button("Log out", icon=":material/logout:", on_click=st.logout)


def leave() -> None:
    """Who is logged in, and the way out; for the side bar."""
    st.text(address())
    st.button("Log out", icon=":material/logout:", type="tertiary", on_click=st.logout)


def address() -> str:
    """The e-mail address of whoever is logged in, or what else the provider calls them."""
    user = _user()
    return str(user.get("email") or user.get("name") or user.get("sub") or "an account")


def _user() -> dict[str, object]:
    user: dict[str, object] = dict(st.user.to_dict())
    return user


def _listed(name: str) -> list[str]:
    # What is not there lets nobody in.
    section = st.secrets.get("access", {})
    return [str(word) for word in section.get(name, [])]
