"""Findings: what detection says of a record. A match, a dead letter or a progress marker."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.diagnosis import UNSOUND, Verdict, diagnose
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.origin import UNKNOWN, Origin
from sentinel.domain.pipeline import PipelineSnapshot

MAX_DEAD_LETTER_BYTES = 262_144
MAX_ENTITY_CHARACTERS = 256  # part of a primary key; an index entry ends at 2.7 kB


@dataclass(frozen=True, slots=True)
class Match:
    """An event for which at least one rule is true (or any event, where every event is scored).

    Attributes:
        timestamp_ms: The Kafka record's timestamp, milliseconds since the epoch.
        rules: Indexes into the generation's rule set; empty for a clean event.
        entities: Entity field -> value as text; null values left out.
        raw: The record's value.
        origin: What the record's headers say.
    """

    partition: int
    offset: int
    timestamp_ms: int
    event_id: str
    rules: tuple[int, ...]
    entities: dict[str, str]
    raw: bytes
    origin: Origin = UNKNOWN


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is not an event, with the cause.

    Attributes:
        cause: `UNSOUND` until it is named.
        raw: The record's value, cut to the first `MAX_DEAD_LETTER_BYTES` when it is named; None for a tombstone.
        raw_size_bytes: Its full size.
    """

    partition: int
    offset: int
    timestamp_ms: int
    cause: str
    field: str | None
    detail: str
    raw: bytes | None
    raw_size_bytes: int

    def named(self, schema: EventSchema, *, max_record_bytes: int) -> DeadLetter:
        """Return it as it is kept: with its cause, and no longer than allowed."""
        letter = self
        if letter.cause == UNSOUND:
            try:
                found = diagnose(self.raw, schema, size=self.raw_size_bytes, max_record_bytes=max_record_bytes)
            except Exception as error:
                # Whatever a record contains, it must not keep the others from being committed.
                why = f"its cause could not be named: {type(error).__name__}"
                found = Verdict(DeadLetterCause.WRONG_TYPE, None, why)
            # JSON can name half of a surrogate pair, which is no text.
            detail = found.detail.encode(errors="replace").decode()
            letter = replace(letter, cause=str(found.cause), field=found.field, detail=detail)
        return replace(letter, raw=None if self.raw is None else self.raw[:MAX_DEAD_LETTER_BYTES])


@dataclass(slots=True)
class FindingBatch:
    """Findings of one generation that are committed together.

    Attributes:
        next_offsets: Partition -> every offset below is decided once this batch is committed.
    """

    matches: list[Match] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    clean: list[Match] = field(default_factory=list)
    next_offsets: dict[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.matches or self.dead_letters or self.clean or self.next_offsets)

    @property
    def tells_something(self) -> bool:
        """Whether it holds more than progress."""
        return bool(self.matches or self.dead_letters or self.clean)

    @property
    def newest_ms(self) -> int:
        """The newest timestamp of a record that something is said of; 0 where nothing is."""
        said: list[Match | DeadLetter] = [*self.matches[-1:], *self.dead_letters[-1:], *self.clean[-1:]]
        return max((each.timestamp_ms for each in said), default=0)

    def extend(self, other: FindingBatch) -> None:
        """Add what `other` found; its progress counts where it is further."""
        self.matches += other.matches
        self.dead_letters += other.dead_letters
        self.clean += other.clean
        for partition, offset in other.next_offsets.items():
            self.next_offsets[partition] = max(offset, self.next_offsets.get(partition, 0))

    def name_dead_letters(self, snapshot: PipelineSnapshot) -> None:
        """Give each dead letter its cause, and keep no more of it than allowed."""
        limit = snapshot.config.max_record_bytes
        self.dead_letters = [letter.named(snapshot.schema, max_record_bytes=limit) for letter in self.dead_letters]

    def from_offsets(self, starts: dict[int, int]) -> FindingBatch:
        """Return the part that lies at or after these offsets."""
        return FindingBatch(
            [m for m in self.matches if m.offset >= starts.get(m.partition, 0)],
            [d for d in self.dead_letters if d.offset >= starts.get(d.partition, 0)],
            [c for c in self.clean if c.offset >= starts.get(c.partition, 0)],
            {p: o for p, o in self.next_offsets.items() if o > starts.get(p, -1)},
        )
