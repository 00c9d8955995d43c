"""Problem documents become errors again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sentinel import errors
from sentinel.client.problems import error_of, refuse


def answer(status: int, slug: str = "", **members: Any) -> httpx.Response:
    """Return an answer with a problem document."""
    document = {"type": f"urn:sentinel:problem:{slug}", "detail": "a sentence", **members}
    return httpx.Response(status, json=document)


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (400, "malformed", errors.InvalidError),
        (401, "unauthenticated", errors.UnauthenticatedError),
        (403, "forbidden", errors.ForbiddenError),
        (404, "not-found", errors.NotFoundError),
        (404, "", errors.NotFoundError),
        (405, "method-not-allowed", errors.InvalidError),
        (409, "conflict", errors.ConflictError),
        (412, "version-mismatch", errors.VersionMismatchError),
        (422, "invalid", errors.InvalidError),
        (422, "too-broad", errors.TooBroadError),
        (500, "internal", errors.TransientError),
        (503, "transient", errors.TransientError),
    ],
)
def test_the_type_decides_and_else_the_status(status: int, slug: str, kind: type[errors.SentinelError]) -> None:
    error = error_of(answer(status, slug))
    assert type(error) is kind
    assert error.message == "a sentence"


def test_details_come_along() -> None:
    error = error_of(
        answer(422, "invalid", errors=[{"pointer": "/a", "detail": "x"}, {"parameter": "limit", "detail": "y"}])
    )
    assert [(item.pointer, item.detail) for item in error.details] == [("/a", "x"), ("limit", "y")]


def test_a_store_that_is_away_keeps_its_name() -> None:
    error = error_of(answer(503, "unavailable", detail="PostgreSQL does not answer: gone"))
    assert isinstance(error, errors.StoreUnavailableError)
    assert (error.store, error.message) == ("PostgreSQL", "PostgreSQL does not answer: gone")


def test_too_many_requests_say_when_to_come_back() -> None:
    error = error_of(httpx.Response(429, headers={"Retry-After": "7"}))
    assert isinstance(error, errors.RateLimitedError)
    assert error.retry_after_seconds == 7.0


def test_success_is_no_error() -> None:
    refuse(httpx.Response(200, json={}))


@pytest.mark.parametrize("text", ["", "<html>", "[1]", "5"])
def test_an_answer_of_somebody_else_is_an_error_all_the_same(text: str) -> None:
    with pytest.raises(errors.TransientError, match="answered 502"):
        refuse(httpx.Response(502, text=text))


@pytest.mark.parametrize(
    ("errors_", "position"), [([{"pointer": "/sql", "start": 9}], 9), ([{"start": "x"}], None), ([], None)]
)
def test_a_query_s_fault_has_its_place(errors_: list[dict[str, Any]], position: int | None) -> None:
    error = error_of(answer(422, "invalid-query", errors=errors_))
    assert isinstance(error, errors.InvalidQueryError)
    assert (error.message, error.position) == ("a sentence", position)
