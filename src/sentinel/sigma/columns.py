"""Find what a Sigma field is in the events of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from sentinel.domain.event_schema import ArrayType, DecimalType, EventSchema, FieldType, ScalarType, StructType
from sentinel.rules import syntax
from sentinel.rules.parser import parse


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the event, in the language of rules.

    Attributes:
        sql: How a rule names it.
        kind: Its type.
    """

    sql: str
    kind: FieldType

    @property
    def scalar(self) -> str:
        """Name of its scalar type, or `decimal`; empty for arrays and structs."""
        if isinstance(self.kind, ScalarType):
            return self.kind.name
        return "decimal" if isinstance(self.kind, DecimalType) else ""

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.scalar in {"integer", "float", "decimal"}

    @property
    def text(self) -> str | None:
        """What gives its value as text; None: it has no text of one form."""
        if self.scalar == "string":
            return self.sql
        return f"cast({self.sql} AS string)" if self.scalar in {"integer", "boolean", "decimal"} else None


def find_column(schema: EventSchema, path: str) -> Column | str:
    """Return the column at a path with dots into structs, or a sentence that says why there is none."""
    first, *members = path.split(".")
    field = schema.field(first)
    if field is None:
        names = [field.name for field in schema.fields]
        near = [name for name in names if name.lower() == first.lower()] or get_close_matches(first, names, 1)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        return f"the pipeline's schema has no field {first!r}{hint}"
    kind = field.type
    sql = _named(first)
    for member in members:
        found = dict(kind.fields) if isinstance(kind, StructType) else {}
        if member not in found:
            inside = "it is an array" if isinstance(kind, ArrayType) else f"it has {', '.join(found) or 'no members'}"
            return f"{path!r} leads nowhere: {sql} has no member {member!r} ({inside})"
        sql = f"{sql}.{member}" if _is_plain(f"event.{member}") else f"{sql}.`{member}`"
        kind = found[member]
    return Column(sql, kind)


def _named(name: str) -> str:
    tree, _ = parse(name)
    return name if isinstance(tree, syntax.Name) else f"`{name}`"


def _is_plain(path: str) -> bool:
    return isinstance(parse(path)[0], syntax.Member)
