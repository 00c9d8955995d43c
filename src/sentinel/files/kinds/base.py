"""What a kind of thing can do: be read from a document, compared, created, changed, removed, and written to a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from sentinel.documents import Document
from sentinel.errors import ConflictError, ErrorDetail
from sentinel.files.remote import Remote

Action = Literal["add", "change", "remove"]


class Spec(BaseModel):
    """What a document says. An unknown key is a mistake that is better said than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Declared:
    """A thing as a file declares it."""

    key: tuple[str, ...]
    spec: Any
    document: Document

    @property
    def where(self) -> str:
        """`file:line` of its document."""
        return self.document.where()


Declarations = Mapping[str, Mapping[tuple[str, ...], Declared]]
"""All declared things: kind -> key -> declared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One property that differs.

    Attributes:
        before: What the API has; None where the thing is new.
        after: What the file says; None where the thing goes.
    """

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that apply does.

    Attributes:
        where: `file:line` of what declares it; empty for a removal.
        notes: What it entails, as sentences.
        breaking: Whether it needs the flag that allows breaking schema changes.
        declared, actual: What its kind goes by when it is applied.
    """

    action: Action
    kind: str
    key: tuple[str, ...]
    differences: tuple[Difference, ...]
    where: str = ""
    notes: tuple[str, ...] = ()
    breaking: bool = False
    declared: Declared | None = field(default=None, repr=False)
    actual: Any = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """The thing in words."""
        return f"{self.kind} {' / '.join(self.key)}"

    @property
    def pipeline(self) -> str:
        """Name of the pipeline it belongs to, or is."""
        return self.key[0]


class PutOffError(ConflictError):
    """A change that may be possible once others are made; `change` is what is left of it."""

    def __init__(self, message: str, change: Change) -> None:
        super().__init__(message)
        self.change = change


@dataclass(slots=True)
class Comparison:
    """What comparing one kind gave.

    Attributes:
        extra: Keys of things of declared pipelines that no file declares, and that stay.
        problems: Why applying cannot work: `file:line` and a sentence.
    """

    changes: list[Change] = field(default_factory=list)
    extra: list[tuple[str, ...]] = field(default_factory=list)
    problems: list[ErrorDetail] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Written:
    """A document to write, and the name of its file below the directory."""

    path: str
    value: dict[str, Any]


class Kind(ABC):
    """A kind of thing. The first part of a key is the name of the pipeline."""

    name: ClassVar[str]
    model: ClassVar[type[Spec]]

    @abstractmethod
    def key(self, spec: Any) -> tuple[str, ...]:
        """Return what tells it from others of its kind."""

    @abstractmethod
    def compare(self, declared: Declarations, remote: Remote, *, prune: bool) -> Comparison:
        """Return what leads from what the API has to what the files say.

        Args:
            prune: Whether what no file declares is removed, too.
        """

    @abstractmethod
    def apply(self, change: Change, remote: Remote) -> None:
        """Make a change. What was edited since it was compared is refused.

        Raises:
            PutOffError: Other changes stand in the way of it.
            SentinelError: The API refused it.
        """

    def is_plain(self, change: Change) -> bool:
        """Whether a change can be made in one request with others of its pipeline."""
        return False

    def apply_together(self, changes: Sequence[Change], remote: Remote) -> None:
        """Make plain changes of one pipeline in one request: all of them or none.

        Raises:
            SentinelError: The API refused some.
        """
        raise ValueError(f"a {self.name} is changed by itself")

    @abstractmethod
    def written(self, remote: Remote, slugs: Mapping[str, str], wanted: Sequence[str]) -> list[Written]:
        """Return documents for what the API has of these pipelines; `slugs` has a directory name for each."""


def differing(pairs: Mapping[str, tuple[Any, Any]]) -> tuple[Difference, ...]:
    """Return the differences among named pairs of before and after."""
    return tuple(Difference(name, before, after) for name, (before, after) in pairs.items() if before != after)
