"""Turns the API's problem documents back into the errors they were."""

from __future__ import annotations

from typing import Any

import httpx

from sentinel.errors import (
    AddressNotAllowedError,
    BreakingChangeError,
    ChannelUnusableError,
    ConflictError,
    EngineUnavailableError,
    ErrorDetail,
    ForbiddenError,
    InvalidError,
    InvalidQueryError,
    InvalidRuleError,
    NotFoundError,
    RateLimitedError,
    RuleTestsFailedError,
    RuleTestsNotRunError,
    SentinelError,
    StoreUnavailableError,
    TooBroadError,
    TransientError,
    UnauthenticatedError,
    VersionMismatchError,
)

_BY_SLUG: dict[str, type[SentinelError]] = {
    kind.slug: kind
    for kind in (
        InvalidError,
        AddressNotAllowedError,
        ChannelUnusableError,
        TooBroadError,
        NotFoundError,
        ConflictError,
        VersionMismatchError,
        RuleTestsFailedError,
        RuleTestsNotRunError,
        UnauthenticatedError,
        ForbiddenError,
        TransientError,
        EngineUnavailableError,
    )
}
_BY_STATUS: dict[int, type[SentinelError]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: VersionMismatchError,
}


def refuse(response: httpx.Response) -> None:
    """Raise the error that an answer stands for; do nothing when it is none.

    Raises:
        SentinelError: The leaf that the problem's type names.
    """
    if response.is_error:
        raise error_of(response)


def error_of(response: httpx.Response) -> SentinelError:
    """Return the error that an answer stands for."""
    document = _document(response)
    message = str(document.get("detail") or f"the API answered {response.status_code}")
    slug = str(document.get("type", "")).rpartition(":")[2]
    errors = [item for item in document.get("errors") or [] if isinstance(item, dict)]
    if slug == InvalidRuleError.slug:
        return InvalidRuleError(
            _listed(message, [str(item.get("detail")) for item in errors]),
            issues=[{k: v for k, v in item.items() if k not in {"pointer", "detail"}} for item in errors],
        )
    if slug == InvalidQueryError.slug:
        starts = [item.get("start") for item in errors]
        return InvalidQueryError(message, position=next((start for start in starts if isinstance(start, int)), None))
    if slug == BreakingChangeError.slug:
        return BreakingChangeError(message, plan=document.get("plan") or {})
    if slug == StoreUnavailableError.slug:
        store, _, reason = message.partition(" does not answer: ")
        return StoreUnavailableError(store, reason)
    if response.status_code == 429:
        seconds = response.headers.get("retry-after", "1")
        return RateLimitedError(message, retry_after_seconds=float(seconds) if seconds.isdigit() else 1.0)
    details = [
        ErrorDetail(str(item.get("pointer") or item.get("parameter") or ""), str(item.get("detail", "")))
        for item in errors
    ]
    return _kind(slug, response.status_code)(message, details=details)


def _kind(slug: str, status: int) -> type[SentinelError]:
    if slug in _BY_SLUG:
        return _BY_SLUG[slug]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return InvalidError if 400 <= status < 500 else TransientError


def _listed(message: str, sentences: list[str]) -> str:
    return f"{message}: {'; '.join(sentences)}" if sentences else message


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
