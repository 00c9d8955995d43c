"""Why a record is not an event."""

from __future__ import annotations

from enum import StrEnum

# The event id is part of a unique index; an entry of a PostgreSQL index ends at 2.7 kB.
MAX_EVENT_ID_CHARACTERS = 512


class DeadLetterCause(StrEnum):
    """The cause of a dead letter. `explanation` says it in a sentence."""

    TOMBSTONE = "tombstone"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    INVALID_UTF8 = "invalid_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    EVENT_TIME_IN_FUTURE = "event_time_in_future"
    EVENT_TIME_OUT_OF_RANGE = "event_time_out_of_range"

    @property
    def explanation(self) -> str:
        """What the cause means, as one sentence."""
        return _EXPLANATIONS[self]


_EXPLANATIONS: dict[DeadLetterCause, str] = {
    DeadLetterCause.TOMBSTONE: "The record has no value; Kafka calls that a tombstone.",
    DeadLetterCause.EMPTY: "The record's value is empty or holds nothing but white space.",
    DeadLetterCause.TOO_LARGE: "The record is larger than the pipeline's max_record_bytes; it was not parsed.",
    DeadLetterCause.INVALID_UTF8: "The record's value is not UTF-8 text.",
    DeadLetterCause.NOT_JSON: "The record's value is not one well-formed JSON document.",
    DeadLetterCause.NOT_AN_OBJECT: "The record's value is JSON, but not an object: an event is an object of fields.",
    DeadLetterCause.WRONG_TYPE: "A field holds a value that is not of its type.",
    DeadLetterCause.MISSING_FIELD: "A field that every event must have is missing or null.",
    DeadLetterCause.NOT_FINITE: "A float field holds NaN, an infinity, or a number beyond the range of a double.",
    DeadLetterCause.OUT_OF_RANGE: "A value is of the right kind, but its field cannot hold it.",
    DeadLetterCause.EVENT_TIME_IN_FUTURE: "The event time lies further after the record's timestamp than the "
    "pipeline's future_tolerance_seconds.",
    DeadLetterCause.EVENT_TIME_OUT_OF_RANGE: "The event time lies before the year 1970 or after the year 9999.",
}
