"""Use cases on what people do about alerts: acknowledge, resolve, assign, judge, note; one or many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sentinel.domain.alert import Alert, AlertFilter
from sentinel.domain.alert_state import (
    KEEP,
    MAX_BULK,
    MAX_NOTES,
    MAX_SHOWN_CHANGES,
    AlertChange,
    AlertNote,
    AlertStep,
    WantedState,
    step,
)
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError, VersionMismatchError
from sentinel.stores.alerts import AlertStateStore
from sentinel.stores.base import AlertReader
from sentinel.stores.beside_rules import AuditStore

_MAX_TRIES = 5
_CHANGED_MEANWHILE = "somebody else changed it at the same time"


@dataclass(frozen=True, slots=True)
class AlertDossier:
    """An alert with all that people said and did about it.

    Attributes:
        notes: Oldest first.
        changes: The newest ones, newest first.
    """

    alert: Alert
    notes: Sequence[AlertNote]
    changes: Sequence[AlertChange]


@dataclass(frozen=True, slots=True)
class AlertConflict:
    """An alert that a bulk action left as it was, and why."""

    alert_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What one request of a bulk action did, or would do.

    Attributes:
        unchanged: Alerts that were there already.
        missing: Ids of no alert of the tenant.
        next_before: Where the action goes on; None: it is complete.
    """

    changed: int
    unchanged: int
    conflicts: Sequence[AlertConflict]
    missing: Sequence[int]
    next_before: int | None


class AlertHandling:
    """What people do about the alerts of one tenant."""

    def __init__(
        self,
        alerts: AlertReader,
        states: AlertStateStore,
        audit: AuditStore,
        *,
        caller: str,
        now: Callable[[], datetime],
    ) -> None:
        self._alerts = alerts
        self._states = states
        self._audit = audit
        self._caller = caller
        self._now = now

    def get(self, alert_id: int) -> AlertDossier:
        """Return an alert with its notes and its history.

        Raises:
            NotFoundError: There is no such alert.
        """
        alert = self._alert(alert_id)
        changes = self._states.changes(alert_id, limit=MAX_SHOWN_CHANGES)
        return AlertDossier(alert, self._states.notes(alert_id), changes)

    def change(self, alert_id: int, wanted: WantedState, *, expected_version: int | None) -> Alert:
        """Change what is said of an alert. What is there already stays, and is no change.

        Of several at once one wins; the others are judged by what it left.

        Raises:
            NotFoundError: There is no such alert.
            InvalidError: Nothing is wanted.
            ConflictError: Its status does not allow it, or somebody else has acknowledged it.
            VersionMismatchError: It is no longer at the expected version.
        """
        _refuse_nothing(wanted)
        for _ in range(_MAX_TRIES):
            alert = self._alert(alert_id)
            if expected_version is not None and expected_version != alert.state.version:
                raise VersionMismatchError(
                    f"alert {alert_id} is at version {alert.state.version}, not {expected_version}; read it again and "
                    "decide anew"
                )
            found = step(alert_id, alert.state, wanted, author=self._caller, now=self._now())
            if found is None:
                return alert
            if self._states.write([found]):
                self._record("alert.change", alert, found.change.before, found.change.after)
                return self._alert(alert_id)
        raise ConflictError(f"alert {alert_id} is being changed by others all the time; try again")

    def note(self, alert_id: int, text: str) -> AlertNote:
        """Write a note beside an alert. It stays as it is.

        Raises:
            NotFoundError: There is no such alert.
            ConflictError: It has as many notes as it may.
        """
        alert = self._alert(alert_id)
        note = self._states.add_note(alert_id, text, author=self._caller, now=self._now(), most=MAX_NOTES)
        if note is None:
            raise ConflictError(f"alert {alert_id} has {MAX_NOTES} notes, as many as may be")
        self._record("alert.note", alert, None, {"note_id": note.id})
        return note

    def change_ids(self, ids: Sequence[int], wanted: WantedState, *, dry_run: bool) -> BulkResult:
        """Change alerts by their ids, in one transaction.

        Raises:
            InvalidError: Nothing is wanted, or there are too many.
        """
        _refuse_nothing(wanted)
        chosen = sorted(set(ids))
        if not 0 < len(chosen) <= MAX_BULK:
            raise InvalidError(
                f"1 to {MAX_BULK} alerts can be changed at once, not {len(chosen)}",
                details=[ErrorDetail("/ids", "count")],
            )
        found = self._alerts.of_ids(chosen)
        missing = sorted(set(chosen) - {alert.id for alert in found})
        return self._change_all(found, wanted, {"ids": len(chosen)}, dry_run=dry_run, missing=missing)

    def change_matching(
        self, chosen: AlertFilter, wanted: WantedState, *, before: int | None, limit: int, dry_run: bool
    ) -> BulkResult:
        """Change alerts that fit a filter, newest first, at most `limit` of them, in one transaction.

        Goes on from `next_before` until there is none. Alerts that come meanwhile are newer than all that follow, and
        are left alone.

        Raises:
            InvalidError: Nothing is wanted.
            NotFoundError: There is no alert `before`.
            TooBroadError: PostgreSQL did not find them in time.
        """
        _refuse_nothing(wanted)
        page = self._alerts.page(chosen, before=before, limit=min(limit, MAX_BULK))
        said = {name: value for name, value in asdict(chosen).items() if value is not None}
        return self._change_all(page.alerts, wanted, _plain(said), dry_run=dry_run, next_before=page.next_before)

    def _change_all(
        self,
        alerts: Sequence[Alert],
        wanted: WantedState,
        chosen: Mapping[str, Any],
        *,
        dry_run: bool,
        missing: Sequence[int] = (),
        next_before: int | None = None,
    ) -> BulkResult:
        now = self._now()
        steps: list[AlertStep] = []
        conflicts: list[AlertConflict] = []
        unchanged = 0
        for alert in alerts:
            try:
                found = step(alert.id, alert.state, wanted, author=self._caller, now=now)
            except ConflictError as error:
                conflicts.append(AlertConflict(alert.id, error.message))
                continue
            if found is None:
                unchanged += 1
            else:
                steps.append(found)
        changed = len(steps)
        if steps and not dry_run:
            # Not tried again: it would wait for single alerts while it holds others, as somebody else may do.
            written = self._states.write(steps)
            changed = len(written)
            conflicts += [
                AlertConflict(each.alert_id, _CHANGED_MEANWHILE) for each in steps if each.alert_id not in written
            ]
            if written:
                after = {"wanted": _plain(_members(wanted)), "chosen": chosen, "changed": changed}
                self._record("alert.bulk_change", None, None, after)
        return BulkResult(changed, unchanged, conflicts, missing, next_before)

    def _alert(self, alert_id: int) -> Alert:
        found = self._alerts.of_ids([alert_id])
        if not found:
            raise NotFoundError(f"there is no alert {alert_id}")
        return found[0]

    def _record(
        self, action: str, alert: Alert | None, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
    ) -> None:
        """Record what was done, in the same transaction; of many alerts under id 0, since each has its own history."""
        self._audit.add(
            actor=self._caller,
            action=action,
            object_type="alert",
            object_id=0 if alert is None else alert.id,
            object_name="" if alert is None else alert.rule_name,
            pipeline_id=None if alert is None else alert.pipeline_id,
            before=before,
            after=after,
            comment="",
        )


def _refuse_nothing(wanted: WantedState) -> None:
    if wanted.is_empty:
        raise InvalidError("nothing is to change; name a status, an assignee or a disposition")


def _members(wanted: WantedState) -> dict[str, Any]:
    named = {"status": wanted.status, "assignee": wanted.assignee, "disposition": wanted.disposition}
    return {name: value for name, value in named.items() if value is not KEEP}


def _plain(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members as JSON can hold them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in members.items()}
