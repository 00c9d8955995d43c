"""What all request and answer models share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the text holds a NUL character, which cannot be stored")
    return text


def _printable(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is empty")
    if not text.isprintable():
        raise ValueError("the text holds characters that cannot be printed, such as line breaks")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128), AfterValidator(_printable)]
Description = Annotated[Text, StringConstraints(max_length=2000)]
Timestamp = AwareDatetime


class RequestModel(BaseModel):
    """A request body. An unknown member is a mistake that is better said than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerModel(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
