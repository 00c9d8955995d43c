"""Compares two versions of a schema: what a change adds, and what it would break."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel.domain.event_schema import EventSchema, Field


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference that is not just a new nullable field.

    Attributes:
        kind: "removed", "retyped", "required", "optional", "role" or "added_required".
        before: What it was, in words; None where it was not.
        after: What it becomes; None where it goes.
        effect: What that means for events and for the lake.
    """

    kind: str
    field: str
    before: str | None
    after: str | None
    effect: str


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """All differences. The order of fields is none: events are JSON objects."""

    added: tuple[Field, ...]
    breaking: tuple[FieldChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the two are the same."""
        return not self.added and not self.breaking


def compare(old: EventSchema, new: EventSchema) -> SchemaChange:
    """Return what leads from `old` to `new`.

    Fields are matched by their exact name; a name in other case is a removal and an addition.
    """
    after = {field.name: field for field in new}
    before = {field.name: field for field in old}
    breaking: list[FieldChange] = []
    for field in old:
        breaking += _changes_of(field, after.get(field.name))
    added = tuple(field for field in new if field.name not in before)
    breaking += [change for field in added for change in _harm_of_new(field)]
    return SchemaChange(added, tuple(breaking))


def _changes_of(old: Field, new: Field | None) -> list[FieldChange]:
    if new is None:
        return [
            FieldChange(
                "removed",
                old.name,
                str(old.type),
                None,
                "events keep it only in their raw form; its lake column stays and is null from now on",
            )
        ]
    changes = []
    if str(old.type) != str(new.type):
        changes.append(
            FieldChange(
                "retyped",
                old.name,
                str(old.type),
                str(new.type),
                "events with a value of the old type become dead letters; its lake column keeps the old "
                "type and new values go to a column of their own",
            )
        )
    if old.nullable and not new.nullable:
        changes.append(
            FieldChange("required", old.name, "nullable", "required", "events without it become dead letters")
        )
    if not old.nullable and new.nullable:
        changes.append(
            FieldChange(
                "optional",
                old.name,
                "required",
                "nullable",
                "events without it become valid, and rules that need it do not match them",
            )
        )
    if old.role != new.role:
        changes.append(FieldChange("role", old.name, old.role, new.role, _role_effect(old.role, new.role)))
    return changes


def _harm_of_new(field: Field) -> list[FieldChange]:
    changes = []
    if not field.nullable:
        changes.append(
            FieldChange("added_required", field.name, None, str(field.type), "events without it become dead letters")
        )
    if field.role in {"event_id", "event_time"}:
        changes.append(FieldChange("role", field.name, None, field.role, _role_effect(None, field.role)))
    return changes


def _role_effect(before: str | None, after: str | None) -> str:
    roles = {before, after}
    effects = []
    if "event_id" in roles:
        effects.append(
            "events are identified differently from now on, so one replayed across the change may alert twice"
        )
    if "event_time" in roles:
        effects.append("the date under which an event is filed in the lake is taken from elsewhere")
    if "entity" in roles:
        effects.append("scores of this entity begin" if after == "entity" else "scores of this entity end")
    return "; ".join(effects)
