"""Use cases on sources of webhooks: create, change, give secrets to, and see what they sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sentinel.catalog.audit import Auditor
from sentinel.catalog.pipelines import PipelineCatalog, counted
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.pipeline import Pipeline, PipelineConfig, PipelineStatus
from sentinel.domain.stripe_event import STRIPE_FIELDS
from sentinel.domain.webhook import (
    HEADER_NAME,
    JSON_POINTER,
    MAX_SECRETS,
    MAX_SOURCES,
    SOURCE_NAME,
    AttemptCount,
    PrunedEvents,
    RefusalReason,
    SourceStatus,
    TokenOptions,
    WebhookAttempt,
    WebhookConflict,
    WebhookEvent,
    WebhookKind,
    WebhookSource,
    new_public_id,
    secret_hint,
    secret_problem,
    topic_prefix,
)
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.webhooks import WebhookSourceStore

STRIPE_PIPELINE = "stripe"


class WebhookCatalog:
    """Sources of webhooks of one tenant."""

    def __init__(
        self,
        tenant_id: str,
        sources: WebhookSourceStore,
        pipelines: PipelineCatalog,
        auditor: Auditor,
        *,
        caller: str,
        now: Callable[[], datetime],
    ) -> None:
        self._tenant_id = tenant_id
        self._sources = sources
        self._pipelines = pipelines
        self._auditor = auditor
        self._caller = caller
        self._now = now

    def list(self) -> Sequence[WebhookSource]:
        """Return all sources, oldest first."""
        return self._sources.list()

    def get(self, source_id: int) -> WebhookSource:
        """Return a source.

        Raises:
            NotFoundError: There is no such source.
        """
        return _found(source_id, self._sources.get(source_id))

    def topic_of(self, source: WebhookSource) -> str | None:
        """Return where a source's events go; None: nowhere."""
        return None if source.pipeline_id is None else self._pipelines.get(source.pipeline_id).kafka_topic

    def create(
        self,
        *,
        name: str,
        kind: WebhookKind,
        pipeline_id: int | None,
        options: TokenOptions,
        secrets: Sequence[str],
    ) -> WebhookSource:
        """Create a source. The first one of Stripe makes the pipeline `stripe`, unless another is named.

        Raises:
            InvalidError: A name, secret or option cannot work, or webhooks may not write to the pipeline's topic.
            NotFoundError: There is no such pipeline.
            ConflictError: The name is taken, there are too many sources, or another pipeline is named `stripe`.
        """
        problems = [*_problems(name, kind, options), *_secret_problems(kind, secrets)]
        if problems:
            raise InvalidError(counted(problems), details=problems)
        self._sources.lock_all()
        if len(self._sources.list()) >= MAX_SOURCES:
            raise ConflictError(f"there are {MAX_SOURCES} webhook sources, as many as may be; delete one first")
        if pipeline_id is not None:
            self._refuse_foreign_topic(pipeline_id)
        elif kind is WebhookKind.STRIPE:
            pipeline_id = self._stripe_pipeline().id
        source = self._sources.add(
            public_id=new_public_id(),
            name=name,
            kind=kind,
            pipeline_id=pipeline_id,
            options=options,
            created_by=self._caller,
        )
        if source is None:
            raise _taken(name)
        self._record("add", source, None, facts_of_source(source))
        for secret in secrets:
            self._add_secret(source, secret, expires_at=None)
        return self.get(source.id)

    def change(
        self,
        source_id: int,
        *,
        name: str | None,
        status: SourceStatus | None,
        pipeline_id: int | None,
        keeps_pipeline: bool,
        options: TokenOptions | None,
        expected_version: int | None,
    ) -> WebhookSource:
        """Change a source; None: as it is.

        Args:
            keeps_pipeline: Whether `pipeline_id` was left out; else None means that events go nowhere.

        Raises:
            InvalidError, NotFoundError, ConflictError: As of `create`.
            VersionMismatchError: The source is no longer at the expected version.
        """
        source = self._locked(source_id, expected_version)
        wanted_options = source.options if options is None else options
        wanted_pipeline = source.pipeline_id if keeps_pipeline else pipeline_id
        problems = _problems(name or source.name, source.kind, wanted_options)
        if problems:
            raise InvalidError(counted(problems), details=problems)
        if wanted_pipeline is not None and wanted_pipeline != source.pipeline_id:
            self._refuse_foreign_topic(wanted_pipeline)
        is_changed = self._sources.change(
            source_id,
            name=name or source.name,
            status=status or source.status,
            pipeline_id=wanted_pipeline,
            options=wanted_options,
        )
        if not is_changed:
            raise _taken(name or source.name)
        changed = self.get(source_id)
        self._record("change", changed, facts_of_source(source), facts_of_source(changed))
        return changed

    def delete(self, source_id: int, *, with_events: bool, expected_version: int | None) -> None:
        """Delete a source with its secrets and attempts; with its events only where that is said.

        Raises:
            NotFoundError: There is no such source.
            ConflictError: It sent events, and they are not to be deleted.
            VersionMismatchError: It is no longer at the expected version.
        """
        source = self._locked(source_id, expected_version)
        if not with_events and self._sources.has_events(source_id):
            raise ConflictError(
                f"events of the source {source.name!r} are stored; disable it (status), or delete it with them: "
                "?with_events=true"
            )
        self._sources.delete(source_id)
        self._record("delete", source, facts_of_source(source), None)

    def add_secret(
        self,
        source_id: int,
        secret: str,
        *,
        expires_at: datetime | None,
        others_expire_at: datetime | None,
    ) -> WebhookSource:
        """Give a source one more secret. Until the others are deleted, or expire, each of them verifies.

        Raises:
            NotFoundError: There is no such source.
            InvalidError: The secret cannot work, or it would expire at once.
            ConflictError: The source has as many secrets as one may.
        """
        source = self._locked(source_id, None)
        problems = list(_secret_problems(source.kind, [secret], "/secret"))
        if expires_at is not None and expires_at <= self._now():
            problems.append(ErrorDetail("/expires_at", "the secret would have expired already"))
        if problems:
            raise InvalidError(counted(problems), details=problems)
        if len(source.secrets) >= MAX_SECRETS:
            raise ConflictError(f"a source has {MAX_SECRETS} secrets at most; delete one that is not used any more")
        secret_id = self._add_secret(source, secret, expires_at=expires_at)
        if others_expire_at is not None:
            self._sources.expire_others(source_id, secret_id, others_expire_at)
        return self.get(source_id)

    def delete_secret(self, source_id: int, secret_id: int) -> WebhookSource:
        """Take a secret away. A source without one refuses everything.

        Raises:
            NotFoundError: There is no such source, or it has no such secret.
        """
        source = self._locked(source_id, None)
        hint = self._sources.delete_secret(source_id, secret_id)
        if hint is None:
            raise NotFoundError(f"the source {source.name!r} has no secret {secret_id}")
        self._record("delete_secret", source, {"secret_id": secret_id, "hint": hint}, None)
        return self.get(source_id)

    def events(
        self,
        source_id: int,
        *,
        event_type: str | None,
        provider_event_id: str | None,
        unpublished: bool,
        before: int | None,
        limit: int,
    ) -> Sequence[WebhookEvent]:
        """Return events of a source, newest first, without their bodies.

        Raises:
            NotFoundError: There is no such source.
        """
        self.get(source_id)
        return self._sources.events(
            source_id,
            event_type=event_type,
            provider_event_id=provider_event_id,
            unpublished=unpublished,
            before=before,
            limit=limit,
        )

    def event(self, source_id: int, event_id: int) -> WebhookEvent:
        """Return an event with its body.

        Raises:
            NotFoundError: There is no such source, or it sent no such event.
        """
        self.get(source_id)
        found = self._sources.event(source_id, event_id)
        if found is None:
            raise NotFoundError(f"the webhook source {source_id} has no event {event_id}")
        return found

    def conflicts(self, source_id: int, *, before: int | None, limit: int) -> Sequence[WebhookConflict]:
        """Return other contents under ids of stored events, newest first.

        Raises:
            NotFoundError: There is no such source.
        """
        self.get(source_id)
        return self._sources.conflicts(source_id, before=before, limit=limit)

    def attempts(
        self, source_id: int, *, reason: RefusalReason | None, before: int | None, limit: int
    ) -> Sequence[WebhookAttempt]:
        """Return refused deliveries that were kept, newest first.

        Raises:
            NotFoundError: There is no such source.
        """
        self.get(source_id)
        return self._sources.attempts(source_id, reason=reason, before=before, limit=limit)

    def prune(self, source_id: int, before: datetime, *, after: int, limit: int) -> PrunedEvents:
        """Delete events of a source that came before a time, among the next `limit` of them.

        What waits for the broker stays. Goes on after `next_after` until there is none.
        """
        return self._sources.prune(source_id, before, after=after, limit=limit)

    def attempt_counts(self, source_id: int, *, limit: int) -> Sequence[AttemptCount]:
        """Return refused deliveries by hour and reason, also those that were not kept, newest hour first.

        Raises:
            NotFoundError: There is no such source.
        """
        self.get(source_id)
        return self._sources.attempt_counts(source_id, limit=limit)

    def _stripe_pipeline(self) -> Pipeline:
        topic = f"{topic_prefix(self._tenant_id)}stripe"
        named = next((pipeline for pipeline in self._pipelines.list() if pipeline.name == STRIPE_PIPELINE), None)
        if named is not None and named.kafka_topic != topic:
            raise ConflictError(
                f"the pipeline {STRIPE_PIPELINE!r} reads the topic {named.kafka_topic!r}, so it is not the one that "
                f"takes Stripe's events from {topic!r}; name a pipeline for the source (pipeline_id)"
            )
        return named or self._pipelines.create(
            name=STRIPE_PIPELINE,
            kafka_topic=topic,
            definitions=STRIPE_FIELDS,
            config=PipelineConfig(),
            start_at="earliest",
            status=PipelineStatus.ACTIVE,
        )

    def _refuse_foreign_topic(self, pipeline_id: int) -> None:
        topic, prefix = self._pipelines.get(pipeline_id).kafka_topic, topic_prefix(self._tenant_id)
        if not topic.startswith(prefix):
            message = (
                f"pipeline {pipeline_id} reads the topic {topic!r}; webhooks write only to topics of their tenant, "
                f"whose names begin with {prefix!r}"
            )
            raise InvalidError(message, details=[ErrorDetail("/pipeline_id", message)])

    def _add_secret(self, source: WebhookSource, secret: str, *, expires_at: datetime | None) -> int:
        hint = secret_hint(secret)
        secret_id = self._sources.add_secret(source.id, secret, hint=hint, added_by=self._caller, expires_at=expires_at)
        self._record("add_secret", source, None, {"secret_id": secret_id, "hint": hint})
        return secret_id

    def _locked(self, source_id: int, expected_version: int | None) -> WebhookSource:
        source = _found(source_id, self._sources.lock(source_id))
        refuse_other_version(f"webhook source {source_id}", source.version, expected_version)
        return source

    def _record(
        self, action: str, source: WebhookSource, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> None:
        self._auditor.record(
            f"webhook_source.{action}",
            "webhook_source",
            source.id,
            pipeline_id=source.pipeline_id,
            object_name=source.name,
            before=before,
            after=after,
        )


def facts_of_source(source: WebhookSource) -> dict[str, Any]:
    """Return what there is to say of a source, as plain data; its secrets have entries of their own."""
    return {
        "name": source.name,
        "kind": source.kind.value,
        "status": source.status.value,
        "pipeline_id": source.pipeline_id,
        **source.options.as_json(),
    }


def _problems(name: str, kind: WebhookKind, options: TokenOptions) -> list[ErrorDetail]:
    problems: list[ErrorDetail] = []
    if not SOURCE_NAME.fullmatch(name):
        message = f"{name[:100]!r} is not a name: lower-case letters, digits and hyphens, at most 63, from a letter on"
        problems.append(ErrorDetail("/name", message))
    given = {member: value for member, value in options.as_json().items() if value}
    if kind is not WebhookKind.TOKEN:
        message = f"a source of kind {kind.value!r} has its own way; this is for 'token'"
        return [*problems, *(ErrorDetail(f"/{member}", message) for member in given)]
    if options.header and not HEADER_NAME.fullmatch(options.header):
        problems.append(ErrorDetail("/header", f"{options.header[:100]!r} is not the name of a header, as X-Api-Token"))
    for member in ("id_pointer", "type_pointer"):
        if member in given and not JSON_POINTER.fullmatch(given[member]):
            message = f"{given[member][:100]!r} is not a JSON pointer, as /data/id"
            problems.append(ErrorDetail(f"/{member}", message))
    return problems


def _secret_problems(kind: WebhookKind, secrets: Sequence[str], pointer: str = "") -> Sequence[ErrorDetail]:
    if len(secrets) > MAX_SECRETS:
        return [ErrorDetail("/secrets", f"a source has {MAX_SECRETS} secrets at most")]
    problems = [(index, secret_problem(kind, secret)) for index, secret in enumerate(secrets)]
    return [ErrorDetail(pointer or f"/secrets/{index}", problem) for index, problem in problems if problem]


def _found(source_id: int, source: WebhookSource | None) -> WebhookSource:
    if source is None:
        raise NotFoundError(f"there is no webhook source {source_id}")
    return source


def _taken(name: str) -> ConflictError:
    return ConflictError(
        f"there is a webhook source named {name!r} already; choose another name",
        details=[ErrorDetail("/name", "taken")],
    )
