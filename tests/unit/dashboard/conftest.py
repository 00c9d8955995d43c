"""A stub of the API behind the dashboard's pages, and the pages run by Streamlit's own test runner."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from sentinel.client.client import Client
from sentinel.settings import PROJECT_ROOT

NOW = "2026-01-31T08:00:00Z"
# What a tenant may write: HTML, Markdown, a formula, a mark that turns the direction, and an emoji.
HOSTILE = "=1+1 **bold** <script>alert(1)</script> :red[x] [link](http://x.example) $x^2$ \u202egnp \U0001f600"
ME = {"tenant_id": "acme", "name": "ann (key:3)", "scopes": ["read", "write"], "open": False, "expires_at": None}

Answer = Callable[[httpx.Request], Any]


def problem(status: int, slug: str, detail: str, errors: list[dict[str, Any]] | None = None) -> httpx.Response:
    """Return a problem document as the API answers it."""
    document = {
        "type": f"urn:sentinel:problem:{slug}", "title": slug, "status": status, "detail": detail,
        "errors": errors or [],
    }  # fmt: skip
    return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json"})


@dataclass
class Request:
    """A request that a page made."""

    method: str
    path: str
    parameters: dict[str, str]
    body: Any
    if_match: str | None


@dataclass
class StubApi:
    """Answers like the API, from plain data that a test changes.

    Attributes:
        answers: "GET /api/alerts" -> what is answered: JSON, a response, or what makes one of the request.
        refused: "POST /api/..." -> the problem in place of the answer.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, httpx.Response] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    is_down: bool = False
    is_closed: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if self.is_down:
            raise httpx.ConnectError("connection refused")
        if self.is_closed and request.headers.get("Authorization") != "Bearer snt_right":
            return problem(401, "unauthenticated", "send an API key")
        is_json = request.headers.get("Content-Type", "application/json") == "application/json"
        body = (json.loads(request.content) if is_json else request.content) if request.content else None
        path = request.url.path
        self.requests.append(
            Request(request.method, path, dict(request.url.params), body, request.headers.get("If-Match"))
        )
        name = f"{request.method} {path}"
        if name in self.refused:
            return self.refused[name]
        assert name in self.answers, f"the page asked for {name}"
        found = self.answers[name]
        found = found(request) if callable(found) else found
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    def client(self, api_key: str = "") -> Client:
        """Return a client of this."""
        return Client("http://api.example", api_key=api_key, transport=httpx.MockTransport(self.answer))

    def writes(self) -> list[tuple[str, str, Any]]:
        """Return what was not only read."""
        return [(each.method, each.path, each.body) for each in self.requests if each.method != "GET"]

    def asked(self, path: str) -> list[dict[str, str]]:
        """Return the parameters of the reads of a path."""
        return [each.parameters for each in self.requests if (each.method, each.path) == ("GET", path)]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubApi]:
    """An API that knows who calls, and nothing else yet."""
    api = StubApi({"GET /api/me": dict(ME)})
    shared = api.client()
    monkeypatch.setattr("dashboard.session._shared_client", lambda: (shared, False))
    monkeypatch.setattr("dashboard.session._is_reached_by_others", lambda: False)
    monkeypatch.setattr("dashboard.session.client_of", api.client)
    # Each run asks anew, however soon it comes here.
    monkeypatch.setattr("dashboard.components.shared_reads.SHARED_SECONDS", 0.0)
    yield api
    shared.close()
    st.cache_resource.clear()


@pytest.fixture
def looking(stub: StubApi) -> StubApi:
    """The same, for a key that only looks."""
    stub.answers["GET /api/me"] = {**ME, "scopes": ["read"]}
    return stub


def open_page(name: str, **parameters: str) -> AppTest:
    """Run a view as it is when somebody opens its address."""
    page = AppTest.from_file(str(PROJECT_ROOT / "dashboard" / "views" / f"{name}.py"), default_timeout=60)
    for key, value in parameters.items():
        page.query_params[key] = value
    return ran(page.run())


def ran(page: AppTest) -> AppTest:
    """Return a page that was drawn without an exception."""
    assert not page.exception, page.exception[0].value
    return page


def widget(page: AppTest, kind: str, label: str) -> Any:
    """Return the widget with this label."""
    found = [each for each in getattr(page, kind) if each.label == label]
    assert found, f"no {kind} {label!r} among {[each.label for each in getattr(page, kind)]}"
    return found[0]


def labels(page: AppTest, kind: str = "button") -> list[str]:
    """Return the labels of all widgets of a kind."""
    return [each.label for each in getattr(page, kind)]


def texts(page: AppTest) -> str:
    """Return all that is shown as plain text."""
    return "\n".join(each.value for each in page.text)


def interpreted(page: AppTest) -> str:
    """Return all that Streamlit reads as Markdown: nothing a tenant wrote may be in it."""
    kinds = ("markdown", "info", "error", "warning", "success", "caption", "subheader", "title", "header", "toast")
    said = [each.value for kind in kinds for each in getattr(page, kind)]
    widgets = (
        "button",
        "toggle",
        "selectbox",
        "pills",
        "text_input",
        "text_area",
        "checkbox",
        "expander",
        "tabs",
        "metric",
    )
    said += [each.label for kind in widgets for each in getattr(page, kind)]
    return "\n".join(said)


def is_clean(page: AppTest) -> bool:
    """Whether nothing a tenant wrote is interpreted."""
    return not any(mark in interpreted(page) for mark in ("<script", "**bold", "\u202e"))
