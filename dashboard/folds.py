"""Tables behind a fold, which are sent to the browser when somebody opens it."""

import pandas as pd
import streamlit as st


def table(title: str, key: str, shown: pd.DataFrame, text: str) -> None:
    """A closed fold with a table; ``text`` is what a screen reader says of it.

    Args:
        title: of the fold.
        key: unique on the page.
        shown: the table.
        text: in words.
    """
    fold = st.expander(title, key=key, on_change="rerun")
    # A table that nobody sees would take the browser a tenth of a second all the same.
    if fold.open:
        with fold:
            st.dataframe(shown, hide_index=True, alt=text)
