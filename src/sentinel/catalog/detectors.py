"""Use cases on detectors: set up, change, switch on and off, and see what came of their runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sentinel.catalog.audit import Auditor
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.detector import (
    DETECTOR_NAME,
    MAX_DETECTORS,
    Amendment,
    DetectorDefinition,
    DetectorRun,
    Mode,
    Need,
    builtin,
)
from sentinel.domain.schedule import Schedule, refuse_impossible
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.detectors import DetectorStore


class DetectorKind(Protocol):
    """What a catalog asks of a kind of detector."""

    @property
    def name(self) -> str:
        """What a definition names it by."""

    @property
    def title(self) -> str:
        """One line."""

    @property
    def need(self) -> Need:
        """What one in mode `auto` waits for."""

    @property
    def builtin_mode(self) -> Mode | None:
        """The mode of the built-in one; None: there is none."""

    def stored(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as they are kept: checked, without the defaults.

        Raises:
            InvalidError: They cannot work; `details` lists everything.
        """

    def complete(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters that were kept, with their defaults."""

    def defaults(self) -> dict[str, Any]:
        """Return the parameters that need not be given."""


@dataclass(frozen=True, slots=True)
class DescribedDetector:
    """A detector as people see it.

    Attributes:
        title: Of its kind.
        parameters: All of them.
        last_run: Its newest run; None: it did not run yet.
    """

    definition: DetectorDefinition
    title: str
    parameters: Mapping[str, Any]
    last_run: DetectorRun | None


class DetectorCatalog:
    """Detectors of one tenant. The built-in ones are there before anybody sets one up.

    Args:
        kinds: Kind -> what it is.
        check_query: Judges SQL over a store, and raises InvalidError where it may not be run.
    """

    def __init__(
        self,
        detectors: DetectorStore,
        kinds: Mapping[str, DetectorKind],
        check_query: Callable[[str, str], None],
        auditor: Auditor,
        *,
        caller: str,
        now: Callable[[], datetime],
    ) -> None:
        self._detectors = detectors
        self._kinds = kinds
        self._check_query = check_query
        self._auditor = auditor
        self._caller = caller
        self._now = now

    @property
    def kinds(self) -> Mapping[str, DetectorKind]:
        """Kind -> what it is."""
        return self._kinds

    def list(self) -> Sequence[DescribedDetector]:
        """Return all detectors, by name."""
        stored = {found.name: found for found in self._detectors.list()}
        builtins = {found.name: found for found in self._builtins()}
        runs = self._detectors.last_runs()
        return [self._described(found, runs) for _, found in sorted({**builtins, **stored}.items())]

    def get(self, name: str) -> DescribedDetector:
        """Return a detector.

        Raises:
            NotFoundError: There is none of this name.
        """
        found = next((each for each in self.list() if each.definition.name == name), None)
        if found is None:
            raise _unknown(name)
        return found

    def create(
        self,
        *,
        name: str,
        kind: str,
        description: str,
        mode: Mode,
        parameters: Mapping[str, Any],
        schedule: Schedule,
    ) -> DescribedDetector:
        """Set up a detector.

        Raises:
            InvalidError: Name, kind, schedule or a parameter cannot work; `details` lists what is wrong.
            ConflictError: The name is taken, or there are too many.
        """
        if not DETECTOR_NAME.fullmatch(name):
            problem = (
                f"{name[:100]!r} is not a name: lower-case letters, digits and underscores, at most 64, a letter first"
            )
            raise InvalidError(problem, details=[ErrorDetail("/name", problem)])
        found = self._kinds.get(kind)
        if found is None:
            problem = f"there is no detector of kind {kind[:100]!r}; there are {', '.join(sorted(self._kinds))}"
            raise InvalidError(problem, details=[ErrorDetail("/kind", problem)])
        kept = self._checked(found, parameters)
        refuse_impossible(schedule, self._now())
        self._detectors.lock_all()
        names = {each.name for each in (*self._detectors.list(), *self._builtins())}
        if name in names:
            raise _taken(name)
        if len(names) >= MAX_DETECTORS:
            raise ConflictError(f"there are {MAX_DETECTORS} detectors, as many as may be; delete one first")
        wanted = replace(
            builtin(kind, description, mode), name=name, is_builtin=False, parameters=kept, schedule=schedule
        )
        added = self._detectors.add(wanted, created_by=self._caller, next_run_at=self._first_run(schedule))
        if added is None:
            raise _taken(name)
        self._record("add", added, None, facts_of_detector(added))
        return self.get(name)

    def change(
        self,
        name: str,
        *,
        description: str | None,
        mode: Mode | None,
        parameters: Mapping[str, Any] | None,
        schedule: Schedule | None,
        expected_version: int | None,
    ) -> DescribedDetector:
        """Change a detector; None: as it is.

        Windows of another length begin where those of the former length ended. Other parameters count for the windows
        to come, and for those that are still evaluated again.

        Args:
            parameters: Those to change; one that is None goes back to its default.

        Raises:
            NotFoundError: There is none of this name.
            InvalidError: Schedule or a parameter cannot work.
            VersionMismatchError: It is no longer at the expected version.
        """
        present = self._locked(name, expected_version)
        changed = replace(
            present,
            description=present.description if description is None else description,
            mode=mode or present.mode,
        )
        if parameters is not None:
            changed = self._with_parameters(changed, parameters)
        if schedule is not None and schedule != present.schedule:
            refuse_impossible(schedule, self._now())
            changed = replace(changed, schedule=schedule, next_run_at=self._first_run(schedule))
        if present.mode is Mode.OFF and changed.mode is not Mode.OFF:
            # What passed while it was off is not owed: it begins with the recent past.
            changed = replace(changed, evaluated_until=None, checked_at=None, next_run_at=self._now())
        kept = self._detectors.change(changed)
        self._record("change", kept, facts_of_detector(present), facts_of_detector(kept))
        return self.get(name)

    def delete(self, name: str, *, expected_version: int | None) -> None:
        """Delete a detector. The alerts that it raised stay, with its name.

        Raises:
            NotFoundError: There is none of this name.
            ConflictError: It is built in.
            VersionMismatchError: It is no longer at the expected version.
        """
        present = self._locked(name, expected_version)
        if present.is_builtin:
            raise ConflictError(f"the detector {name!r} is built in; switch it off instead: mode off")
        self._detectors.delete(present.id)
        self._record("delete", present, facts_of_detector(present), None)

    def to_run(self, name: str) -> DetectorDefinition:
        """Return a detector that has its row, so that it can be run.

        Raises:
            NotFoundError: There is none of this name.
        """
        return self._locked(name, None)

    def runs(self, name: str, *, before: int | None, limit: int) -> Sequence[DetectorRun]:
        """Return the runs of a detector, newest first.

        Raises:
            NotFoundError: There is none of this name.
        """
        return self._detectors.runs(self.get(name).definition.id, before=before, limit=limit)

    def amendments(self, alert_id: int) -> Sequence[Amendment]:
        """Return what an alert said before it was amended, oldest first.

        Raises:
            NotFoundError: There is no such alert.
        """
        found = self._detectors.amendments(alert_id)
        if found is None:
            raise NotFoundError(f"there is no alert {alert_id}")
        return found

    def _with_parameters(self, present: DetectorDefinition, parameters: Mapping[str, Any]) -> DetectorDefinition:
        kind = self._kind(present)
        merged = {**present.parameters, **parameters}
        kept = self._checked(kind, {name: value for name, value in merged.items() if value is not None})
        if kept == present.parameters:
            return present
        before, after = kind.complete(present.parameters), kind.complete(kept)
        changed = replace(present, parameters=kept, checked_at=None)
        if before.get("window_minutes") != after.get("window_minutes"):
            return replace(changed, evaluates_from=present.evaluated_until)
        return changed

    def _checked(self, kind: DetectorKind, parameters: Mapping[str, Any]) -> dict[str, Any]:
        kept = kind.stored(parameters)
        complete = kind.complete(kept)
        if "sql" in complete:
            try:
                self._check_query(complete["store"], complete["sql"])
            except InvalidError as error:
                raise InvalidError(error.message, details=[ErrorDetail("/parameters/sql", error.message)]) from error
        return kept

    def _locked(self, name: str, expected_version: int | None) -> DetectorDefinition:
        found = self._detectors.lock(name)
        if found is None:
            wanted = next((each for each in self._builtins() if each.name == name), None)
            if wanted is None:
                raise _unknown(name)
            refuse_other_version(f"detector {name!r}", wanted.version, expected_version)
            # The detector loop may add it at the same time: the one that comes second finds it.
            self._detectors.add(wanted, created_by="built in", next_run_at=self._now())
            found = self._detectors.lock(name)
            if found is None:
                raise _unknown(name)
            return found
        refuse_other_version(f"detector {name!r}", found.version, expected_version)
        return found

    def _described(self, found: DetectorDefinition, runs: Mapping[int, DetectorRun]) -> DescribedDetector:
        kind = self._kinds.get(found.kind)
        if kind is None:
            # Of a newer version of this software: shown, though it cannot be run here.
            return DescribedDetector(found, "", found.parameters, runs.get(found.id))
        is_ready = found.mode is Mode.AUTO and self._detectors.is_ready(kind.need)
        try:
            parameters: Mapping[str, Any] = kind.complete(found.parameters)
        except InvalidError:
            # Kept by another version of this software. Its runs say what is wrong with them.
            parameters = found.parameters
        return DescribedDetector(found.settled(is_ready=is_ready), kind.title, parameters, runs.get(found.id))

    def _kind(self, found: DetectorDefinition) -> DetectorKind:
        kind = self._kinds.get(found.kind)
        if kind is None:
            raise ConflictError(f"this version of Sentinel has no detector of kind {found.kind!r}")
        return kind

    def _builtins(self) -> Sequence[DetectorDefinition]:
        return [
            builtin(kind.name, kind.title, kind.builtin_mode)
            for kind in self._kinds.values()
            if kind.builtin_mode is not None
        ]

    def _first_run(self, schedule: Schedule) -> datetime:
        """Return when a detector runs first: at once where it has an interval."""
        return self._now() if schedule.interval_seconds is not None else schedule.next_after(self._now())

    def _record(
        self,
        action: str,
        detector: DetectorDefinition,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
    ) -> None:
        self._auditor.record(
            f"detector.{action}",
            "detector",
            detector.id,
            pipeline_id=None,
            object_name=detector.name,
            before=before,
            after=after,
        )


def facts_of_detector(detector: DetectorDefinition) -> dict[str, Any]:
    """Return what there is to say of a detector, as plain data."""
    return {
        "name": detector.name,
        "kind": detector.kind,
        "description": detector.description,
        "mode": detector.mode.value,
        "parameters": dict(detector.parameters),
        "schedule": detector.schedule.as_json(),
    }


def _taken(name: str) -> ConflictError:
    return ConflictError(
        f"there is a detector named {name!r} already; choose another name",
        details=[ErrorDetail("/name", "taken")],
    )


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no detector {name[:100]!r}; GET /api/detectors lists them")
