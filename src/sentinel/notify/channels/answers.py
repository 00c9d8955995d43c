"""What answers of receivers by HTTP mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from sentinel.notify.channels.configured import Redactor
from sentinel.notify.reach.guarded_http import HttpAnswer

MAX_RETRY_AFTER_SECONDS = 86_400.0
_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return what `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date), at most a day; None: nothing."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        seconds = (aware - now).total_seconds()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def reason_of(status: int) -> str:
    """Return the word under which failures of a status are counted."""
    if status == 429:
        return "rate_limited"
    if status == 410:
        return "gone"
    return "redirect" if 300 <= status < 400 else f"status_{status // 100}xx"


def receipt(answer: HttpAnswer, redactor: Redactor, *, thread: str | None = None) -> Receipt:
    """Return the receipt of an answer that means success."""
    return Receipt(answer.status, redactor.clean(answer.text), thread)


def refusal(
    answer: HttpAnswer,
    redactor: Redactor,
    now: datetime,
    *,
    fate: Fate,
    receiver: str,
    reason: str = "",
    said: str | None = None,
) -> AttemptFailedError:
    """Return the error of an answer that means failure.

    Args:
        receiver: Who answered, as people call it.
        said: What it said; None: the beginning of the body.
    """
    what = redactor.clean(answer.text if said is None else said)
    return AttemptFailedError(
        f"{receiver} answered {answer.status}" + (f": {what}" if what else ""),
        fate=fate,
        reason=reason or reason_of(answer.status),
        status=answer.status,
        retry_after_seconds=retry_after(answer.headers, now) if fate is Fate.RETRY else None,
    )
