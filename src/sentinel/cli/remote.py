"""How commands that speak to the API are told where it is and with which key."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sentinel.client import Client
from sentinel.settings import Settings

URL_VARIABLE = "SENTINEL_URL"
KEY_VARIABLE = "SENTINEL_KEY"

Url = Annotated[
    str,
    typer.Option(
        "--url", envvar=URL_VARIABLE, help=f"The API; its key is read from {KEY_VARIABLE}. Default: the local one."
    ),
]


def open_client(url: str = "") -> Client:
    """Return the client of the API at an address; without one, of the API that the settings describe."""
    key = os.environ.get(KEY_VARIABLE, "")
    if url:
        return Client(url, api_key=key)
    settings = Settings.load()
    local = Client.of(settings)
    return Client(local.base_url, api_key=key) if key else local
