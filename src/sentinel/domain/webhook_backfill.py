"""Backfills: asking a provider for events that it could not deliver."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sentinel.domain.webhook import SourceStatus, WebhookKind
from sentinel.errors import ErrorDetail, InvalidError

# Stripe: "Retrieves events going back up to 30 days" (https://docs.stripe.com/api/events/list).
HORIZON = timedelta(days=30)
# Asked for again by the next backfill: what was made just before the last one may not have been listed yet.
OVERLAP = timedelta(hours=1)
API_KEY = re.compile(r"rk_[\x21-\x7e]{8,500}")


@dataclass(frozen=True, slots=True)
class BackfillRange:
    """What is asked for.

    Attributes:
        start, end: Of the events' creation; whole seconds, both included.
        only_failed: Only events with a delivery that failed or is still pending, of any endpoint.
        cursor: The last event that was taken in, the oldest so far; None: begin with the newest.
    """

    start: datetime
    end: datetime
    only_failed: bool
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class BackfillCounts:
    """What became of the events that were listed.

    Attributes:
        refused: Those that cannot be kept: too large, or without an id. They are among the source's attempts.
    """

    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far the backfill of a source is.

    Attributes:
        key_hint: The last characters of the restricted key.
        range: The one that was begun last; None: none yet.
        counts: Of that range so far.
        covered_until: Up to then everything was listed that failed, as far back as the provider lists it.
        running_until: Somebody works on it, or died less than that ago.
    """

    key_hint: str
    is_encrypted: bool
    key_added_at: datetime
    key_added_by: str
    range: BackfillRange | None
    is_complete: bool
    counts: BackfillCounts
    covered_until: datetime | None
    updated_at: datetime | None
    running_until: datetime | None


@dataclass(frozen=True, slots=True)
class BackfillWork:
    """What a run begins with. Holds the key in clear: never logged, never answered.

    Attributes:
        api_key: None: it cannot be decrypted.
    """

    kind: WebhookKind
    status: SourceStatus
    api_key: str | None = field(repr=False)
    range: BackfillRange | None = None
    is_complete: bool = False


def range_to_begin(
    state: Backfill, *, since: datetime | None, only_failed: bool, now: datetime
) -> BackfillRange | None:
    """Return the range that is to be begun; None: go on with the one that is not complete.

    Without `since` an incomplete range of the same kind goes on; else one begins where everything is covered, or at the
    horizon.

    Raises:
        InvalidError: The provider does not keep events for so long, or the range lies in the future.
    """
    end = now.replace(microsecond=0)
    horizon = end - HORIZON
    if since is not None:
        if since < horizon:
            message = (
                f"Stripe lists events of the last {HORIZON.days} days, at the earliest since {horizon.isoformat()}"
            )
            raise InvalidError(message, details=[ErrorDetail("/since", message)])
        if since >= end:
            raise InvalidError("since must be in the past", details=[ErrorDetail("/since", "in the future")])
        return BackfillRange(since.replace(microsecond=0), end, only_failed)
    if state.range is not None and not state.is_complete and state.range.only_failed == only_failed:
        return None
    # What was asked for in part says nothing of the rest.
    covered = state.covered_until if only_failed else None
    start = horizon if covered is None else max(horizon, covered - OVERLAP)
    return BackfillRange(start, end, only_failed)
