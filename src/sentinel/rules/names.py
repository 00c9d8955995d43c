"""Tell of a name that the schema does not have what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from sentinel.domain.event_schema import ArrayType, EventSchema, FieldType, StructType
from sentinel.rules.bound import Bound
from sentinel.rules.report import Report
from sentinel.rules.types import STRING, common, is_lenient

_LISTED = 10


def report_unknown_field(  # noqa: PLR0917 - what is known of a name
    name: str, schema: EventSchema, beside: Bound | None, start: int, end: int, report: Report
) -> None:
    """Report a field that the event does not have.

    Args:
        beside: What it is compared with, where it is.
    """
    names = [field.name for field in schema]
    wanted = None if beside is None else beside.kind
    same = _in_other_case(name, names)
    near = same or list(_members_named(name, schema)) or _near(name, names)
    fitting = [
        field.name
        for field in schema
        if wanted is not None and not is_lenient(wanted) and common(field.type, wanted) is not None
    ]
    suggestion = _meant(near) or _listed(fitting, "Fields of that type") or _listed(names, "Fields")
    if wanted == STRING and not same and beside is not None and not beside.is_literal:
        suggestion = f"{suggestion} If it is a text, write '{name[:128]}'."
    _tell(name, "the event", same, suggestion, start, end, report)


def report_unknown_member(name: str, struct: StructType, start: int, end: int, report: Report) -> None:
    """Report a member that a struct does not have."""
    names = [member for member, _ in struct.fields]
    same = _in_other_case(name, names)
    suggestion = _meant(same or _near(name, names)) or _listed(names, "Fields")
    _tell(name, "the struct", same, suggestion, start, end, report)


def _tell(  # noqa: PLR0917 - what a message is made of
    name: str, owner: str, same: Sequence[str], suggestion: str, start: int, end: int, report: Report
) -> None:
    note = " (upper and lower case matter)" if same else ""
    report.error("unknown-column", start, end, f"There is no field {name[:128]} in {owner}{note}.", suggestion)


def _in_other_case(name: str, names: Iterable[str]) -> list[str]:
    return [candidate for candidate in names if candidate.lower() == name.lower()]


def _near(name: str, names: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(name, names, n=3, cutoff=0.6)


def _meant(near: Sequence[str]) -> str:
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _listed(names: Sequence[str], what: str) -> str:
    return f"{what}: {', '.join(names[:_LISTED])}{', ...' if len(names) > _LISTED else '.'}" if names else ""


def _members_named(name: str, schema: EventSchema) -> Iterator[str]:
    """Return the ways to members of that name within structs."""
    waiting: list[tuple[str, FieldType]] = [(field.name, field.type) for field in schema]
    while waiting:
        path, kind = waiting.pop(0)
        inner = kind.element if isinstance(kind, ArrayType) else kind
        if isinstance(inner, StructType):
            for member, member_type in inner.fields:
                if member.lower() == name.lower():
                    yield f"{path}.{member}"
                waiting.append((f"{path}.{member}", member_type))
