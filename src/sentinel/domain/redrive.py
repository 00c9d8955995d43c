"""Dead letters as they are kept, and what people do about them: send them again, discard them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# A record that fails again is a new dead letter. After so many redrives in a row somebody has to look at the cause.
MAX_REDRIVES = 5
MAX_REDRIVEN_AT_ONCE = 500
MAX_DISCARDED_AT_ONCE = 1000
MAX_REASON_CHARACTERS = 500
# Of the request with an edited record: the largest that a pipeline may take (7 MiB), and what JSON adds to it.
MAX_EDITED_BYTES = 8 * 1024 * 1024

# Headers of a record that was sent again: the dead letter, the first one of its line, and how often it was sent again.
LETTER_HEADER = "sentinel-dead-letter"
FIRST_HEADER = "sentinel-dead-letter-first"
COUNT_HEADER = "sentinel-redrive-count"


class DeadLetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters of a pipeline; None: all. Times are those of their being found, `until` not included."""

    state: DeadLetterState | None = None
    cause: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetterEntry:
    """A record that is not an event, as it is kept.

    Attributes:
        raw: The record's value, perhaps only its beginning; None for a tombstone, or where it was not asked for.
        raw_size_bytes: Its full size.
        reason, changed_by, changed_at: Of its state; empty while nobody did anything.
        redrive_of: The dead letter whose redriven record this is; None: it came from elsewhere.
        first_id: The one with which that began; None likewise.
        redrive_count: How many redrives lie between that one and this.
    """

    id: int
    pipeline_id: int
    generation_id: int
    source_epoch: int
    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: datetime
    cause: str
    field: str | None
    detail: str
    raw: bytes | None
    raw_size_bytes: int
    created_at: datetime
    state: DeadLetterState
    reason: str
    changed_by: str
    changed_at: datetime | None
    redrive_of: int | None
    first_id: int | None
    redrive_count: int


@dataclass(frozen=True, slots=True)
class RedriveCandidate:
    """A dead letter that may be sent again, without its record.

    Attributes:
        is_claimed: Somebody sends it at this moment.
        kept_bytes: How much of the record is kept; None: it has no value.
        first_id: As in `DeadLetterEntry`; its own id where it is the first.
    """

    id: int
    state: DeadLetterState
    is_claimed: bool
    cause: str
    raw_size_bytes: int
    kept_bytes: int | None
    first_id: int
    redrive_count: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """A dead letter that was sent again.

    Attributes:
        redrive_count: How often the record that it began with was sent again by then, this time included.
        failed_as: The dead letter that the new record became; None: it did not, or is not decided yet.
        request_key: Names the request that did it.
    """

    dead_letter_id: int
    first_id: int
    redrive_count: int
    is_edited: bool
    value_sha256: bytes
    size_bytes: int
    kafka_topic: str
    source_epoch: int
    kafka_partition: int
    kafka_offset: int
    request_key: str
    redriven_by: str
    redriven_at: datetime | None = None
    failed_as: int | None = None


@dataclass(frozen=True, slots=True)
class CauseCount:
    """How many dead letters of a cause are in a state; `hour` None: over all of the range."""

    cause: str
    state: DeadLetterState
    count: int
    hour: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordVerdict:
    """What the engine says of a record: an event, or why not.

    Attributes:
        cause: None: it is an event.
    """

    cause: str | None
    field: str | None = None
    detail: str = ""


class NotSent(StrEnum):
    """Why a dead letter was not sent again."""

    MISSING = "missing"
    NOT_OPEN = "not_open"
    IN_PROGRESS = "in_progress"
    NO_VALUE = "no_value"
    CUT = "cut"
    LOOP = "loop"
    NO_EVENT = "no_event"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LeftLetter:
    """A dead letter that stays as it is, and why."""

    id: int
    why: NotSent
    detail: str


@dataclass(slots=True)
class RedriveReport:
    """What one request of a redrive did, or would do.

    Attributes:
        sent: What was sent; in a dry run empty.
        events: How many would be events now; None: nobody asked.
        by_cause: Of those that would be none, by the cause of now.
        left: Those that were not sent.
        next_after: Where the redrive goes on; None: nothing is left that fits.
        stopped: Why it ended early; empty: it did not.
        is_repeated: The request had been done before; nothing was sent.
    """

    looked_at: int = 0
    sent: Sequence[Redrive] = ()
    events: int | None = None
    by_cause: Mapping[str, int] = field(default_factory=dict)
    left: list[LeftLetter] = field(default_factory=list)
    next_after: int | None = None
    stopped: str = ""
    is_repeated: bool = False
