"""What each way to sign has in common."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sentinel.domain.webhook import MAX_ID_CHARACTERS, TOLERANCE, Delivery, EventIdentity, RefusalReason, TokenOptions

_UNIX_SECONDS = re.compile(r"[0-9]{1,11}")


class Refused(Exception):  # noqa: N818 - an outcome that the receiver takes, no error
    """A delivery is not taken."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Scheme(Protocol):
    """One way to sign."""

    def verify(self, delivery: Delivery, secrets: Sequence[str], options: TokenOptions, now: datetime) -> None:
        """Check the signature of the body as it came, with any of the secrets; there is at least one.

        Raises:
            Refused: It is not signed, or not now.
        """

    def identify(self, delivery: Delivery, body: Mapping[str, Any], options: TokenOptions) -> EventIdentity:
        """Return what a verified delivery says of itself.

        Raises:
            Refused: It names no event.
        """


def header(delivery: Delivery, name: str) -> str:
    """Return a header that must be there.

    Raises:
        Refused: It is missing, or holds what no scheme of ours has in it.
    """
    value = delivery.headers.get(name)
    if not value:
        raise Refused(RefusalReason.MISSING_HEADER)
    if not value.isascii() or not value.isprintable():
        raise Refused(RefusalReason.MALFORMED_HEADER)
    return value


def unix_seconds(text: str) -> int:
    """Return a timestamp.

    Raises:
        Refused: It is none.
    """
    if not _UNIX_SECONDS.fullmatch(text):
        raise Refused(RefusalReason.MALFORMED_HEADER)
    return int(text)


def refuse_other_time(signed_at: int, now: datetime) -> None:
    """Refuse what was signed too long ago, or is said to have been signed later than now.

    Raises:
        Refused: It is 300 s away or more, past or future.
    """
    age = now.timestamp() - signed_at
    if age > TOLERANCE.total_seconds():
        raise Refused(RefusalReason.TOO_OLD)
    if -age > TOLERANCE.total_seconds():
        raise Refused(RefusalReason.IN_FUTURE)


def any_matches(expected: Iterable[bytes], given: Iterable[bytes]) -> bool:
    """Tell whether any signature is an expected one, in a time that does not tell which, or how much of it."""
    claims = list(given)
    found = False
    for right in expected:
        for claim in claims:
            found |= hmac.compare_digest(right, claim)
    return found


def event_id(value: Any) -> str:
    """Return the identifier of an event as it is stored.

    Raises:
        Refused: It is none: not a text or a whole number, empty, too long, or not storable.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_ID_CHARACTERS or not text.isprintable():
        raise Refused(RefusalReason.NO_EVENT_ID)
    return text


def event_type(value: Any) -> str:
    """Return the type of an event; empty where it names none that can be stored."""
    is_one = isinstance(value, str) and len(value) <= MAX_ID_CHARACTERS and value.isprintable()
    return value if is_one else ""
