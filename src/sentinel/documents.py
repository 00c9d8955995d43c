"""Read YAML that a user wrote: plain values, each with the line it stands on, and nothing that YAML can hide.

YAML is read event by event into values of our own, without recursion and without constructing objects. Anchors, aliases
and merge keys (which expand to more than was written), tags, keys that are there twice and keys that are not texts are
refused, and so is what is too large or nested too deeply.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sentinel.errors import ErrorDetail, InvalidError

MAX_FILE_BYTES = 5_000_000
MAX_DEPTH = 30
MAX_VALUES = 200_000
SUFFIXES = (".yaml", ".yml")

Scalar = str | int | float | bool | dt.date | dt.datetime | bytes | None
Value = Any  # dict[str, Value] | list[Value] | Scalar
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document.

    Attributes:
        path: The file, as the user named it.
        value: Dicts, lists and scalars.
        lines: The line, counted from 1, of every value by its place in `value`; () is the document itself.
    """

    path: str
    value: Value
    lines: dict[Place, int] = field(repr=False, compare=False)

    def where(self, place: Sequence[str | int] = ()) -> str:
        """Return `file:line` of a place; of what is not there, the line of what should hold it."""
        wanted = tuple(place)
        while wanted not in self.lines and wanted:
            wanted = wanted[:-1]
        return f"{self.path}:{self.lines.get(wanted, 1)}"


def refuse_all(problems: Sequence[ErrorDetail]) -> None:
    """Raise every problem at once; do nothing where there is none.

    Raises:
        InvalidError: The pointer of a detail is `file:line`.
    """
    if problems:
        lines = "\n".join(f"{problem.pointer}: {problem.detail}" for problem in problems)
        raise InvalidError(lines, details=problems)


def yaml_files(source: Path) -> list[Path]:
    """Return the YAML files at a path: itself, or all below a directory, in order. Hidden ones are left out.

    Raises:
        InvalidError: There is nothing, or nothing that is YAML.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InvalidError(f"there is no file or directory {str(source)!r}")
    return sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
    )


def read_file(path: Path) -> list[Document]:
    """Return the documents of a file; empty ones are left out.

    Raises:
        InvalidError: It cannot be read, or is not the YAML that is taken here; the message begins with `file:line`.
    """
    try:
        with path.open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidError(f"{path}: the file is larger than {MAX_FILE_BYTES:,} bytes; split it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidError(
            f"{path}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    return read_text(text, str(path))


def read_text(text: str, path: str) -> list[Document]:
    """Return the documents of a text; `path` is what errors call it.

    Raises:
        InvalidError: As `read_file`.
    """
    reader = _Reader(path)
    try:
        return list(reader.documents(yaml.parse(text, Loader=yaml.CSafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InvalidError(f"{path}:{line}: {_said(error, text, line)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidError(f"{path}:{line}: {error.reason} ({error.character!r}), which YAML does not allow") from error
    except yaml.YAMLError as error:
        raise InvalidError(f"{path}: {' '.join(str(error).split())}") from error


def _said(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or "'\\t'" in str(error.problem):
        return "a tab, which YAML does not take for indentation; use spaces"
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{said}: {written.strip()[:80]!r}" if written.strip() else said


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    value: Any
    place: Place
    key: str | None = None
    has_key: bool = False


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0
        self.scalars = yaml.SafeLoader("")
        self.stack: list[_Open] = []
        self.lines: dict[Place, int] = {}
        self.key_lines: dict[Place, int] = {}
        self.top: Any = None

    def documents(self, events: Iterator[Any]) -> Iterator[Document]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.stack, self.lines, self.key_lines, self.top = [], {}, {}, None
            elif isinstance(event, yaml.DocumentEndEvent):
                if self.top is not None:
                    yield Document(self.path, self.top, self.lines)
            elif isinstance(event, yaml.AliasEvent):
                raise self.refusal(event, f"the alias *{event.anchor} stands for something else; write it out")
            elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
                self.begun(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.ended(event)

    def begun(self, event: Any) -> None:
        self.count += 1
        if self.count > MAX_VALUES:
            raise self.refusal(event, f"the file holds more than {MAX_VALUES:,} values; split it")
        if event.anchor:
            raise self.refusal(
                event, f"the anchor &{event.anchor} is not taken here; write values out where they count"
            )
        if event.tag and event.tag != "!":
            raise self.refusal(event, f"the tag {event.tag} is not taken here; leave it out")
        is_scalar = isinstance(event, yaml.ScalarEvent)
        if self.stack and isinstance(self.stack[-1].value, dict) and not self.stack[-1].has_key:
            self.take_key(event, is_scalar)
            return
        value: Any = self.scalar(event) if is_scalar else {} if isinstance(event, yaml.MappingStartEvent) else []
        place = self.put(value, event)
        if not is_scalar:
            if len(self.stack) >= MAX_DEPTH:
                raise self.refusal(event, f"it is nested deeper than {MAX_DEPTH} levels")
            self.stack.append(_Open(value, place))

    def take_key(self, event: Any, is_scalar: bool) -> None:
        holder = self.stack[-1]
        key = self.scalar(event) if is_scalar else None
        if not isinstance(key, str):
            shown = repr(event.value)[:60] if is_scalar else "a list or mapping"
            raise self.refusal(event, f"the key {shown} is not a text; put it into quotes")
        place = (*holder.place, key)
        if key in holder.value:
            raise self.refusal(event, f"the key {key!r} is there twice, first on line {self.key_lines[place]}")
        self.key_lines[place] = event.start_mark.line + 1
        holder.key, holder.has_key = key, True

    def put(self, value: Any, event: Any) -> Place:
        place: Place = ()
        line = event.start_mark.line + 1
        if not self.stack:
            self.top = value
        elif isinstance((holder := self.stack[-1]).value, list):
            place = (*holder.place, len(holder.value))
            holder.value.append(value)
        else:
            place = (*holder.place, str(holder.key))
            line = self.key_lines[place]
            holder.value[holder.key] = value
            holder.has_key = False
        self.lines[place] = line
        return place

    def ended(self, event: Any) -> None:
        self.stack.pop()

    def scalar(self, event: Any) -> Scalar:
        resolve: Any = self.scalars.resolve
        tag = resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag == "tag:yaml.org,2002:merge":
            raise self.refusal(event, "the merge key << stands for something else; write it out")
        try:
            value: Scalar = self.scalars.construct_object(yaml.ScalarNode(tag, event.value, event.start_mark))
        except (ValueError, OverflowError) as error:
            raise self.refusal(event, f"{event.value[:60]!r} is no value: {error}; put it into quotes") from error
        return value

    def refusal(self, event: Any, sentence: str) -> InvalidError:
        return InvalidError(f"{self.path}:{event.start_mark.line + 1}: {sentence}")
