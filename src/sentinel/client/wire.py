"""What the parts of the client make their requests with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import httpx


class Wire(Protocol):
    """The part of the client that speaks HTTP."""

    def _get(self, path: str, **parameters: Any) -> httpx.Response: ...

    def _send(
        self, method: str, path: str, body: Mapping[str, Any], *, if_version: int | None = None
    ) -> httpx.Response: ...

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response: ...
