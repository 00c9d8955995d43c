"""What is to be sent, in chunks with a timetable: generated transactions, or the lines of a file."""

from __future__ import annotations

import gzip
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import orjson

from sentinel.errors import InvalidError
from sentinel.workload.generator import CardTransactions, label_line

LINES_PER_CHUNK = 512
_GZIP_MAGIC = b"\x1f\x8b"
_SPEED = re.compile(r"(\d+(?:\.\d+)?)x?")
# Numbers above are milliseconds: as seconds they would lie beyond the year 5000.
_LARGEST_EPOCH_SECONDS = 1e11


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records, in order.

    Attributes:
        messages: `{"key": bytes or None, "value": bytes}` of each, as `Producer.produce_batch` takes them.
        due: Seconds after the start at which each is to be sent, never falling; None: at once.
    """

    messages: list[dict[str, bytes | None]]
    due: list[float] | None


def generated(
    transactions: CardTransactions,
    *,
    rate: float | None,
    count: int | None,
    labels: Callable[[int, bytes], object] | None = None,
) -> Iterator[Chunk]:
    """Serialise transactions, keyed by card so that a card's events stay in order.

    Args:
        rate: Events to send per second; None: no pace.
        count: How many; None: without end.
        labels: Gets the position and the label line of each fraudulent transaction, before it is sent.
    """
    sent = 0
    for number in itertools.count():
        block = transactions.block(number)
        if count is not None:
            block = block[: count - sent]
        if not block:
            return
        if labels is not None:
            for at, item in enumerate(block):
                if item.label is not None:
                    labels(sent + at, label_line(item))
        yield Chunk(
            [{"key": item.event["card_id"].encode(), "value": orjson.dumps(item.event)} for item in block],
            None if rate is None else [(sent + at) / rate for at in range(len(block))],
        )
        sent += len(block)


@dataclass(slots=True)
class Replay:
    """The lines of a JSONL file (plain or gzip), sent byte for byte as they are; empty lines are left out.

    Attributes:
        speed: How many times faster than the times in the file; None: as fast as possible, or at `rate`.
        time_field: Where a line's time is: ISO 8601 (without offset: UTC) or epoch seconds or milliseconds.
        key_field: Whose value becomes the record's key; None: no key.
        rate: Lines per second, instead of a speed.
        untimed: Lines without a readable time so far; they are sent together with the line before.
    """

    path: Path
    speed: float | None = None
    time_field: str | None = None
    key_field: str | None = None
    rate: float | None = None
    count: int | None = None
    untimed: int = 0

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise InvalidError(f"there is no file {str(self.path)!r}")
        if self.speed is not None and not self.time_field:
            raise InvalidError(
                "a speed needs the times in the file: name their field with --time-field, or use --speed max"
            )
        if self.speed is not None and self.rate is not None:
            raise InvalidError("give either a rate or a speed, not both")

    def chunks(self) -> Iterator[Chunk]:
        """Yield the file's lines.

        Raises:
            InvalidError: The file cannot be read to its end (damaged gzip).
        """
        self.untimed = 0
        clock = _FileClock(self.speed)
        number = 0
        with _opened(self.path) as file:
            lines = itertools.islice((line for raw in self._read(file) if (line := raw.rstrip(b"\r\n"))), self.count)
            while batch := list(itertools.islice(lines, LINES_PER_CHUNK)):
                messages: list[dict[str, bytes | None]] = []
                due: list[float] = []
                for line in batch:
                    event = _object(line) if self.speed is not None or self.key_field else {}
                    messages.append({"key": _key(event.get(self.key_field or "")), "value": line})
                    if self.speed is not None:
                        self.untimed += clock.read(event.get(self.time_field or ""))
                        due.append(clock.due)
                    elif self.rate is not None:
                        due.append(number / self.rate)
                    number += 1
                yield Chunk(messages, due or None)

    def _read(self, file: IO[bytes]) -> Iterator[bytes]:
        try:
            yield from file
        except (EOFError, OSError) as error:
            raise InvalidError(f"{str(self.path)!r} cannot be read to its end: {error}") from error


class _FileClock:
    """Turns the times of a file into seconds after its first line, never falling."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed or 1.0
        self._first: float | None = None
        self.due = 0.0

    def read(self, value: Any) -> int:
        """Take the time of the next line; returns 1 when it has none."""
        seconds = _seconds(value)
        if seconds is None:
            return 1
        if self._first is None:
            self._first = seconds
        self.due = max(self.due, (seconds - self._first) / self._speed)
        return 0


def parse_speed(text: str) -> float | None:
    """Parse `100x`, `1`, `0.5x`; `max` is None.

    Raises:
        InvalidError: It is none of these.
    """
    if text.strip().lower() == "max":
        return None
    found = _SPEED.fullmatch(text.strip().lower())
    if not found or float(found.group(1)) <= 0:
        raise InvalidError(f"the speed {text!r} is not understood: use a factor such as 100x, or max")
    return float(found.group(1))


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def _object(line: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _key(value: Any) -> bytes | None:
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value / 1000 if abs(value) > _LARGEST_EPOCH_SECONDS else float(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None
