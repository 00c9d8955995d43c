"""What all request and answer models share."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, SecretStr, StringConstraints

_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the text holds a NUL character, which cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("the text holds half of a surrogate pair, which is no character") from None
    return text


def _storable_secret(secret: SecretStr) -> SecretStr:
    _storable(secret.get_secret_value())
    return secret


def _storable_json(value: Any) -> Any:
    rest = [value]
    while rest:
        match rest.pop():
            case str() as text:
                _storable(text)
            case float() as number if not math.isfinite(number):
                raise ValueError("a number is not finite")
            case dict() as members:
                rest += [*members, *members.values()]
            case list() as items:
                rest += items
    return value


def _printable(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is empty")
    if not text.isprintable():
        raise ValueError("the text holds characters that cannot be printed, such as line breaks")
    return text


def _moment(value: datetime) -> datetime:
    # One that is hours from the end of what a datetime can be leaves it with its zone, or in the first calculation.
    try:
        found = value.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or found < _EARLIEST:
        raise ValueError("the time must lie in the years 1900 to 9999, in UTC")
    return found


Text = Annotated[str, AfterValidator(_storable)]
SecretText = Annotated[SecretStr, AfterValidator(_storable_secret)]
# Of a value of JSON, all texts in it.
Storable = AfterValidator(_storable_json)
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128), AfterValidator(_printable)]
Description = Annotated[Text, StringConstraints(max_length=2000)]
Timestamp = AwareDatetime
# A time that somebody sends; it becomes UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_moment)]


class RequestModel(BaseModel):
    """A request body. An unknown member is a mistake that is better said than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerModel(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
