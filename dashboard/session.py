"""What the pages share: the client of the API, and who the visitor is to it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from sentinel.client.client import Client
from sentinel.client.me import Caller
from sentinel.clock import utc_now
from sentinel.errors import InvalidError, UnauthenticatedError
from sentinel.settings import Settings

_CLIENT = "session-client"
_CALLER = "session-caller"
_KEY = re.compile(r"snt_[A-Za-z0-9_-]{1,200}")
# A key's scopes never change and every call refuses a revoked one, so this bounds only how long the menu is wrong.
_CALLER_KEPT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Visit:
    """One run of a page: whom it acts as, and when.

    Attributes:
        now: When the run began, so that all relative times of a page agree.
    """

    client: Client
    caller: Caller
    now: datetime

    @property
    def may_write(self) -> bool:
        """Whether the visitor's key may change things; what it may not do is not offered."""
        return self.caller.may("write")


def api_client() -> Client:
    """Return the client of the API: with the visitor's key after a sign-in, else the one that the settings describe.

    Raises:
        UnauthenticatedError: Other machines reach the dashboard, and nothing says as whom they may act.
    """
    mine: Client | None = st.session_state.get(_CLIENT)
    if mine is not None:
        return mine
    shared, has_key = _shared_client()
    if not has_key and _is_reached_by_others():
        # An open API lets this machine in without a key, and would take every visitor for this machine.
        raise UnauthenticatedError("other machines reach this dashboard, so it asks for an API key of your own")
    found: Client = shared
    return found


def client_of(api_key: str) -> Client:
    """Return a client with a key of the visitor's."""
    return Client.of(Settings.load(), api_key=api_key)


def is_signed_in() -> bool:
    """Return whether the visitor gave a key in this browser session."""
    return st.session_state.get(_CLIENT) is not None


def sign_in(api_key: str) -> None:
    """Act with a key from now on. It is kept in the memory of this browser session alone.

    Raises:
        InvalidError: This cannot be a key.
        UnauthenticatedError, ForbiddenError: The API does not take it, or it may not read.
    """
    key = api_key.strip()
    if _KEY.fullmatch(key) is None:
        raise InvalidError("an API key begins with snt_, as `sentinel keys create` prints it")
    client = client_of(key)
    try:
        client.who_am_i()
    except BaseException:
        client.close()
        raise
    sign_out()
    st.session_state[_CLIENT] = client


def sign_out() -> None:
    """Forget the visitor's key, and all that was read with it."""
    client = st.session_state.get(_CLIENT)
    for name in list(st.session_state):
        del st.session_state[name]
    if client is not None:
        client.close()


def visit() -> Visit:
    """Return who visits.

    Raises:
        UnauthenticatedError: The API is closed, and there is no valid key.
        StoreUnavailableError: The API does not answer.
    """
    client, now = api_client(), utc_now()
    known = st.session_state.get(_CALLER)
    if known is None or known[0] is not client or now - known[1] > _CALLER_KEPT:
        known = (client, now, client.who_am_i())
        st.session_state[_CALLER] = known
    return Visit(client, known[2], now)


@st.cache_resource(show_spinner=False)  # type: ignore[untyped-decorator]
def _shared_client() -> tuple[Client, bool]:
    """Return the client that the settings describe, and whether they give it a key."""
    settings = Settings.load()
    return Client.of(settings), bool(settings.dashboard.api_key.get_secret_value())


def _is_reached_by_others() -> bool:
    """Return whether the server listens where other machines are; without an address it listens everywhere."""
    address = str(st.get_option("server.address") or "")
    try:
        return not ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address.lower() != "localhost"
