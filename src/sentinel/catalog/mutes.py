"""Use cases on mutes and snoozes: silence a rule or an entity, and end that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sentinel.catalog.audit import Auditor
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.rules import no_pipeline
from sentinel.domain.finding import MAX_ENTITY_CHARACTERS
from sentinel.domain.mute import MAX_KEPT_MUTES, Mute, SuppressedCount
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rule import RuleState
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.base import PipelineStore, RuleStore
from sentinel.stores.beside_rules import MuteStore

MAX_SNOOZE = timedelta(days=366)


class MuteCatalog:
    """Mutes and snoozes of one tenant. Each is part of the next rule set, so it has exact borders."""

    def __init__(
        self,
        pipelines: PipelineStore,
        rules: RuleStore,
        mutes: MuteStore,
        publisher: Publisher,
        auditor: Auditor,
        *,
        caller: str,
        now: Callable[[], datetime],
    ) -> None:
        self._pipelines = pipelines
        self._rules = rules
        self._mutes = mutes
        self._publisher = publisher
        self._auditor = auditor
        self._caller = caller
        self._now = now

    def add(
        self,
        pipeline_id: int,
        *,
        rule_id: int | None,
        field: str | None,
        value: str | None,
        expires_at: datetime | None,
        reason: str,
    ) -> Mute:
        """Silence a rule (mute), or an entity for one rule or for all of the pipeline (snooze).

        Args:
            field, value: The entity of a snooze: a field of role entity, and its value as alerts show it.
            expires_at: Records with a timestamp from then on are alerted again. A snooze has one.

        Raises:
            NotFoundError: There is no such pipeline or rule.
            InvalidError: Nothing is silenced, the end has passed or is missing, or the field is no entity.
            ConflictError: The pipeline has as many mutes and snoozes as one may, or the rule is archived.
        """
        pipeline = self._locked(pipeline_id)
        self._refuse_impossible(pipeline, rule_id, field, value, expires_at)
        kept = len(self._mutes.kept(pipeline_id))
        if kept >= MAX_KEPT_MUTES:
            raise ConflictError(
                f"pipeline {pipeline_id} has {kept} mutes and snoozes, as many as one may; end some of them first "
                "(one that has run out counts for a week, since records may come late)"
            )
        mute = self._mutes.add(
            pipeline_id,
            rule_id=rule_id,
            field=field,
            value=value,
            expires_at=expires_at,
            reason=reason,
            created_by=self._caller,
        )
        self._record("mute.add", mute, None, facts_of_mute(mute))
        self._publisher.publish(pipeline)
        return mute

    def end(self, mute_id: int) -> Mute:
        """End a mute or snooze before its time. Repeating it is harmless.

        Raises:
            NotFoundError: There is no such mute.
        """
        mute = self._get(mute_id)
        pipeline = self._locked(mute.pipeline_id)
        mute = self._get(mute_id)
        if mute.ended_at is None:
            self._mutes.end(mute_id, self._caller)
            self._record("mute.end", mute, facts_of_mute(mute), None)
            self._publisher.publish(pipeline)
        return self._get(mute_id)

    def list(self, pipeline_id: int, *, ended: bool, before: int | None, limit: int) -> list[Mute]:
        """Return mutes and snoozes of a pipeline, newest first.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        self._refuse_unknown(pipeline_id)
        return self._mutes.list(pipeline_id, ended=ended, before=before, limit=limit)

    def suppressed(
        self, pipeline_id: int, *, rule_id: int | None, since: datetime | None, until: datetime | None, limit: int
    ) -> tuple[SuppressedCount, ...]:
        """Return the matches that raised no alert, per rule and hour, newest hour first.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        self._refuse_unknown(pipeline_id)
        return self._mutes.suppressed(pipeline_id, rule_id=rule_id, since=since, until=until, limit=limit)

    def _get(self, mute_id: int) -> Mute:
        mute = self._mutes.get(mute_id)
        if mute is None:
            raise NotFoundError(f"there is no mute {mute_id}")
        return mute

    def _refuse_impossible(
        self,
        pipeline: Pipeline,
        rule_id: int | None,
        field: str | None,
        value: str | None,
        expires_at: datetime | None,
    ) -> None:
        if rule_id is not None:
            rule = self._rules.get(rule_id)
            if rule is None or rule.pipeline_id != pipeline.id:
                raise NotFoundError(f"pipeline {pipeline.id} has no rule {rule_id}")
            if rule.state is RuleState.ARCHIVED:
                raise ConflictError(f"rule {rule_id} is archived: it raises no alerts")
        problems: list[ErrorDetail] = []
        if field is None and rule_id is None:
            problems.append(ErrorDetail("", "name a rule to mute, or field and value of an entity to snooze"))
        if (field is None) != (value is None):
            problems.append(ErrorDetail("/value" if value is None else "/field", "field and value belong together"))
        if field is not None:
            entities = [known.name for known in self._publisher.schema_of(pipeline).entities]
            if field not in entities:
                known = f"those are {', '.join(entities)}" if entities else "the schema has none"
                problems.append(ErrorDetail("/field", f"{field[:128]!r} is no field of role entity; {known}"))
            if expires_at is None:
                problems.append(ErrorDetail("/expires_at", "a snooze has an end"))
        if value is not None and not 1 <= len(value) <= MAX_ENTITY_CHARACTERS:
            message = f"a value has 1 to {MAX_ENTITY_CHARACTERS} characters, as alerts show it"
            problems.append(ErrorDetail("/value", message))
        now = self._now()
        if expires_at is not None and not now < expires_at <= now + MAX_SNOOZE:
            message = f"the end lies in the future, at most {MAX_SNOOZE.days} days from now"
            problems.append(ErrorDetail("/expires_at", message))
        if problems:
            raise InvalidError(problems[0].detail, details=problems)

    def _record(
        self, action: str, mute: Mute, before: dict[str, object] | None, after: dict[str, object] | None
    ) -> None:
        name = f"{mute.field}={mute.value}" if mute.field else f"rule {mute.rule_id}"
        self._auditor.record(
            action,
            "mute",
            mute.id,
            pipeline_id=mute.pipeline_id,
            object_name=name,
            before=before,
            after=after,
            comment=mute.reason,
        )

    def _locked(self, pipeline_id: int) -> Pipeline:
        pipeline = self._pipelines.lock(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        return pipeline

    def _refuse_unknown(self, pipeline_id: int) -> None:
        if self._pipelines.get(pipeline_id) is None:
            raise no_pipeline(pipeline_id)


def facts_of_mute(mute: Mute) -> dict[str, object]:
    """Return what there is to say of a mute, as plain data."""
    return {
        "rule_id": mute.rule_id,
        "field": mute.field,
        "value": mute.value,
        "expires_at": None if mute.expires_at is None else mute.expires_at.isoformat(),
        "reason": mute.reason,
    }
