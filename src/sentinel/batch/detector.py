"""What a kind of detector is: parameters with defaults, which windows are due, and what it finds in one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sentinel.domain.detector import (
    MAX_WINDOWS,
    DetectorDefinition,
    DetectorFinding,
    Level,
    Mode,
    Need,
    Window,
    windows_between,
)
from sentinel.errors import ErrorDetail, InvalidError
from sentinel.stores.detectors import DetectorReader

# Events may be read, and their transaction begun, this long before they are visible.
NEWS_MARGIN = timedelta(minutes=10)


class DetectorParameters(BaseModel):
    """What every kind can be told. Windows are aligned to UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    window_minutes: int = Field(default=30, ge=1, le=7 * 24 * 60, description="How long a window is.")
    grace_minutes: int = Field(default=2, ge=0, le=24 * 60, description="How long after its end events are waited for.")
    late_hours: int = Field(
        default=6, ge=0, le=168, description="Windows that ended in the last so many hours are evaluated again."
    )

    @property
    def window_length(self) -> timedelta:
        """How long a window is."""
        return timedelta(minutes=self.window_minutes)

    @model_validator(mode="after")
    def _windows_are_countable(self) -> Self:
        if self.late_hours * 60 / self.window_minutes > MAX_WINDOWS:
            raise ValueError(
                f"late_hours = {self.late_hours} and window_minutes = {self.window_minutes} make more than "
                f"{MAX_WINDOWS} windows per run; have longer windows, or fewer hours"
            )
        return self


P = TypeVar("P", bound=DetectorParameters)


class Detector(ABC, Generic[P]):
    """A kind of detector. Has no state; safe for many threads.

    Attributes:
        name: What a definition names it by.
        title: One line.
        query_version: Grows when the same events may give another outcome; evidence names it.
        parameters: Their model.
        need: What one in mode `auto` waits for.
        builtin_mode: The mode of the built-in one; None: there is none, for it cannot work without parameters.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    query_version: ClassVar[int] = 1
    parameters: type[P]
    need: ClassVar[Need] = Need.NOTHING
    builtin_mode: ClassVar[Mode | None] = Mode.OFF

    @abstractmethod
    def detect(self, window: Window, parameters: P, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return what is beyond a threshold in a window. Depends on nothing but what is read.

        Raises:
            SentinelError: It cannot be evaluated now, or ever; the message says why.
        """

    def is_settled(self, window: Window, parameters: P, reader: DetectorReader, since: datetime) -> bool:
        """Tell that evaluating a window again can change nothing, as nothing came in since."""
        del window, parameters, reader, since
        return False

    def windows_due(self, definition: DetectorDefinition, parameters: P, at: datetime) -> DueWindows:
        """Return the windows that ended, with their grace, by a time: those that were not evaluated, and late ones."""
        until = at - timedelta(minutes=parameters.grace_minutes)
        oldest_late = until - timedelta(hours=parameters.late_hours)
        first = definition.evaluated_until
        if first is None:
            # A first run looks at the recent past, at one window at least.
            first = min(oldest_late, until - 2 * parameters.window_length)
        if definition.evaluates_from is not None:
            first = max(first, definition.evaluates_from)
        length = parameters.window_length
        new = windows_between(first, until, length)
        late_from = oldest_late - length
        if definition.evaluates_from is not None:
            late_from = max(late_from, definition.evaluates_from)
        late = [window for window in windows_between(late_from, min(first, until), length) if window.end > oldest_late]
        return DueWindows(new[:MAX_WINDOWS], late, is_complete=len(new) <= MAX_WINDOWS)

    def stored(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as they are kept: checked, without the defaults.

        Raises:
            InvalidError: As of `checked`.
        """
        return self.checked(parameters).model_dump(mode="json", exclude_unset=True)

    def complete(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters that were kept, with their defaults.

        Raises:
            InvalidError: As of `checked`.
        """
        return self.checked(parameters).model_dump(mode="json")

    def defaults(self) -> dict[str, Any]:
        """Return the parameters that need not be given."""
        fields = self.parameters.model_fields
        given = self.parameters.model_construct()
        optional = {name for name, field in fields.items() if not field.is_required()}
        return given.model_dump(mode="json", include=optional)

    def checked(self, parameters: Mapping[str, Any]) -> P:
        """Return parameters with their defaults.

        Raises:
            InvalidError: They cannot work; `details` lists everything.
        """
        for name, value in parameters.items():
            if not _is_storable(value):
                problem = f"{name[:100]!r} holds a character that cannot be stored: a NUL, or half a surrogate pair"
                raise InvalidError(problem, details=[ErrorDetail("/parameters", problem)])
        try:
            return self.parameters.model_validate(dict(parameters))
        except ValidationError as error:
            details = [_detail(item["loc"], item["msg"], item.get("input")) for item in error.errors()]
            count = f"{len(details)} parameters cannot work" if len(details) > 1 else details[0].detail
            raise InvalidError(f"detector of kind {self.name!r}: {count}", details=details) from error


@dataclass(frozen=True, slots=True)
class DueWindows:
    """Windows to be evaluated, oldest first.

    Attributes:
        new: That were not evaluated yet.
        late: That were, and are looked at again.
        is_complete: Whether these are all.
    """

    new: Sequence[Window]
    late: Sequence[Window]
    is_complete: bool


class EventDetector(Detector[P], ABC):
    """A detector of webhook events by the time they happened: windows into which none came late stay as they are."""

    def is_settled(self, window: Window, parameters: P, reader: DetectorReader, since: datetime) -> bool:
        """Tell that no event of the window came in since."""
        del parameters
        return not reader.has_news(window, since - NEWS_MARGIN)


def level_of(measured: Decimal | int, low: Decimal | int, medium: Decimal | int, high: Decimal | int) -> Level:
    """Return the highest level whose threshold is reached."""
    if measured >= high:
        return Level.HIGH
    if measured >= medium:
        return Level.MEDIUM
    return Level.LOW if measured >= low else Level.NONE


def thresholds_problem(low: Decimal | int, medium: Decimal | int, high: Decimal | int) -> str | None:
    """Return what is wrong with three thresholds."""
    return None if low <= medium <= high else f"thresholds must not fall: low {low}, medium {medium}, high {high}"


def figure(value: Decimal) -> float:
    """Return a ratio as evidence shows it, with six digits."""
    return float(round(value, 6))


def _is_storable(value: Any) -> bool:
    """Tell whether PostgreSQL takes each text of a JSON value."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str) and ("\x00" in found or any("\ud800" <= each <= "\udfff" for each in found)):
            return False
        if isinstance(found, dict):
            waiting += [*found.keys(), *found.values()]
        elif isinstance(found, list):
            waiting += found
    return True


def _detail(place: tuple[int | str, ...], message: str, given: Any) -> ErrorDetail:
    pointer = "".join(f"/{part}" for part in ("parameters", *place))
    said = message.removeprefix("Value error, ")
    name = ".".join(map(str, place))
    shown = "" if isinstance(given, dict) else f", not {str(given)[:100]!r}"
    return ErrorDetail(pointer, f"{name}: {said}{shown}" if name else said)
