"""What the pages share: the client of the API."""

from __future__ import annotations

import streamlit as st

from sentinel.client.client import Client
from sentinel.settings import Settings


@st.cache_resource  # type: ignore[untyped-decorator]
def api_client() -> Client:
    """Return the client of the API that the settings describe; one for all visitors."""
    return Client.of(Settings.load())
