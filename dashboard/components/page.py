"""What every page does before and after its own part: who visits, what was done, what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import streamlit as st

from dashboard import session
from dashboard.components.acts import show_last_act
from dashboard.components.problems import show_problem
from dashboard.components.sign_in import show_sign_in
from dashboard.components.style import show_style
from sentinel.errors import SentinelError, StoreUnavailableError, UnauthenticatedError

RETRY_SECONDS = 3.0


def show_page(title: str, body: Callable[[session.Visit], None]) -> None:
    """Draw a page. Without a valid key it asks for one; while the API is away it says so, and comes back by itself."""
    st.title(title)
    show_style()
    try:
        visit = session.visit()
        show_last_act()
        with ExitStack() as stack:
            # Said for every call that takes long, at a place of its own so that nothing moves by it.
            with st.container(key="page-waits"):
                stack.enter_context(st.spinner("Asking the API…"))
            body(visit)
    except UnauthenticatedError as error:
        show_sign_in(error)
    except StoreUnavailableError as error:
        show_problem(error)
        # Only this waits and tries again, so that the page comes back without its visitor.
        st.fragment(_retry, run_every=RETRY_SECONDS)()
    except SentinelError as error:
        show_problem(error)


def _retry() -> None:
    # A fragment's first run is part of the page's own: asking again at once would ask twice.
    if st.session_state.pop("page-waits", False):
        try:
            session.api_client().who_am_i()
        except StoreUnavailableError:
            st.session_state["page-waits"] = True
            return
        except SentinelError:
            pass
        st.rerun()
    st.session_state["page-waits"] = True
