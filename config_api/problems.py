"""Errors as RFC 9457 problem details. Nothing else in the project knows HTTP status codes of errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sentinel.errors import (
    BreakingChangeError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    InvalidQueryError,
    InvalidRuleError,
    NotFoundError,
    RateLimitedError,
    SentinelError,
    SourceDisabledError,
    TooLargeError,
    TransientError,
    UnauthenticatedError,
    UnsignedDeliveryError,
    UnusableDeliveryError,
    VersionMismatchError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

_LOG = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[SentinelError], int], ...] = (
    (VersionMismatchError, 412),
    (ConflictError, 409),
    (TooLargeError, 413),
    (UnusableDeliveryError, 400),
    (InvalidError, 422),
    (NotFoundError, 404),
    (UnauthenticatedError, 401),
    (ForbiddenError, 403),
    (RateLimitedError, 429),
    (TransientError, 503),
)

_SLUGS = {400: "malformed", 404: "not-found", 405: "method-not-allowed", 413: "too-large", 422: "invalid"}


class _ProblemResponse(JSONResponse):
    """A problem names what was sent, which may be half a surrogate pair: JSON can name it, no text can hold it."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def install(app: FastAPI, methods_of: Callable[[str], list[str]]) -> None:
    """Answer every error of the application as a problem.

    Args:
        methods_of: Says which methods there are at a path.
    """
    app.add_exception_handler(SentinelError, _on_sentinel_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, partial(_on_http_exception, methods_of))
    app.add_exception_handler(Exception, _on_surprise)


def problem(
    request: Request,
    status: int,
    *,
    slug: str,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """Build a problem document. `type` is a URN: the page that explains it is docs/api.md."""
    request_id = request.scope.get("request_id", "")
    body = {
        "type": f"urn:sentinel:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request_id,
        **more,
    }
    return _ProblemResponse(body, status, {"X-Request-Id": request_id, **(headers or {})}, media_type=MEDIA_TYPE)


def _on_sentinel_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, SentinelError):
        return _on_surprise(request, error)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), None)
    if status is None:
        return _on_surprise(request, error)
    return problem(
        request,
        status,
        slug=error.slug,
        title=error.title,
        detail=error.message,
        headers=_headers_of(error),
        **_members_of(error),
    )


def _headers_of(error: SentinelError) -> dict[str, str]:
    if isinstance(error, UnsignedDeliveryError):
        return {"WWW-Authenticate": 'Signature realm="webhooks"'}
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": 'Bearer realm="sentinel"'}
    if isinstance(error, RateLimitedError):
        return {"Retry-After": str(max(1, round(error.retry_after_seconds)))}
    if isinstance(error, TransientError):
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


def _members_of(error: SentinelError) -> dict[str, Any]:
    if isinstance(error, InvalidRuleError):
        issues = [{"pointer": "/rule_expression", "detail": issue["message"], **issue} for issue in error.issues]
        return {"errors": issues}
    if isinstance(error, InvalidQueryError) and error.position is not None:
        return {"errors": [{"pointer": "/sql", "detail": error.message, "start": error.position}]}
    members: dict[str, Any] = {}
    if isinstance(error, UnsignedDeliveryError | UnusableDeliveryError | SourceDisabledError):
        members["reason"] = error.reason
    if error.details:
        members["errors"] = [{"pointer": item.pointer, "detail": item.detail} for item in error.details]
    if isinstance(error, BreakingChangeError):
        members["plan"] = error.plan
    return members


def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        return _on_surprise(request, error)
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        reason = found[0].get("ctx", {}).get("error", "it cannot be parsed")
        return problem(
            request,
            400,
            slug=_SLUGS[400],
            title="The body is not JSON",
            detail=f"the body is not JSON: {reason}, at character {found[0]['loc'][-1]}",
        )
    errors = [_described(item) for item in found]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    place = errors[0].get("pointer") or errors[0].get("parameter") or "the request"
    return problem(
        request,
        422,
        slug=_SLUGS[422],
        title=InvalidError.title,
        detail=f"{place}: {errors[0]['detail']}{more}",
        errors=errors,
    )


def _described(item: dict[str, Any]) -> dict[str, str]:
    """Return one of pydantic's errors as a member of `errors`: with a JSON pointer when it is in the body."""
    where, *path = item["loc"]
    detail = item["msg"].removeprefix("Value error, ")
    if where == "body":
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
        return {"pointer": pointer, "detail": detail}
    return {"parameter": ".".join(map(str, path)), "in": str(where), "detail": detail}


def _on_http_exception(methods_of: Callable[[str], list[str]], request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return _on_surprise(request, error)
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    details = {
        404: f"there is nothing at {request.url.path}; /docs lists what there is",
        405: f"{request.method} is not possible here; Allow says what is",
    }
    detail = error.detail if error.detail != phrase else details.get(status, phrase)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        # Each method is a route of its own, and the router names that of the first alone.
        headers["Allow"] = ", ".join(methods_of(request.url.path)) or headers.get("Allow", "")
    return problem(
        request,
        status,
        slug=_SLUGS.get(status, "http-error"),
        title=phrase,
        detail=detail,
        headers=headers,
    )


def _on_surprise(request: Request, error: Exception) -> Response:
    request_id = request.scope.get("request_id", "")
    _LOG.error("request %s failed", request_id, exc_info=error)
    return problem(
        request,
        500,
        slug="internal",
        title="Something went wrong",
        detail=f"an error of ours; the log has it under request {request_id}",
    )
