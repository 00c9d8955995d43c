"""The one way in which versions of rules come into force: each is admitted, then the next rule set is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rule import (
    ALERTING,
    EVALUATED,
    REFERABLE,
    Arms,
    Rule,
    RuleSetMembers,
    RuleState,
    RuleVersion,
)
from sentinel.domain.scorecard import Scorecard
from sentinel.errors import ConflictError, ErrorDetail, NotFoundError
from sentinel.rules.checker import check
from sentinel.rules.references import KnownRules, closure, references_in
from sentinel.stores.base import MuteStore, PipelineStore, RuleStore, SchemaStore, ScorecardStore

# What the figures in docs/performance.md were measured with.
MAX_ACTIVE_RULES = 1000


class Publisher:
    """Puts versions of one tenant's rules in force. The caller holds the pipeline's lock."""

    def __init__(
        self,
        pipelines: PipelineStore,
        schemas: SchemaStore,
        rules: RuleStore,
        mutes: MuteStore,
        scorecards: ScorecardStore,
    ) -> None:
        self._pipelines = pipelines
        self._schemas = schemas
        self._rules = rules
        self._mutes = mutes
        self._scorecards = scorecards

    def schema_of(self, pipeline: Pipeline) -> EventSchema:
        """Return the schema in force.

        Raises:
            NotFoundError: The pipeline points to a schema that does not exist.
        """
        version = self._schemas.get(pipeline.id, pipeline.schema_version)
        if version is None:
            raise NotFoundError(f"pipeline {pipeline.id} has no schema version {pipeline.schema_version}")
        return version.schema

    def known_rules(self, pipeline_id: int, own_name: str | None = None) -> KnownRules:
        """Return what a rule of the pipeline may refer to."""
        return known_rules(self._rules.list(pipeline_id), own_name)

    def admit(
        self, pipeline: Pipeline, rule: Rule, version: RuleVersion, state: RuleState, *, what: str, pointer: str
    ) -> None:
        """Refuse a version that must not be evaluated in this state. Every version passes here before it is in force.

        Args:
            rule: As it is now.
            version: Its current one, its candidate, or one that is written but not pointed to yet.
            state: shadow, rollout or active: where the version goes.
            what: Names the version in the message.
            pointer: What in the request asked for it.

        Raises:
            ConflictError: It does not fit the schema or the other rules, breaks rules that refer to it, or the
                pipeline evaluates as many rules as one may.
        """
        others = [other for other in self._rules.list(pipeline.id) if other.id != rule.id]
        known = known_rules(others, rule.name)
        known = replace(known, conditions={**known.conditions, rule.name: rule.current.condition})
        schema = self.schema_of(pipeline)
        result = check(version.condition, schema, known)
        if not result.valid:
            raise ConflictError(
                f"{what} does not fit schema version {pipeline.schema_version} of its pipeline or the rules it refers "
                "to; change its expression first",
                details=[ErrorDetail(pointer, issue.message) for issue in result.errors],
            )
        if state is RuleState.ACTIVE:
            refuse_broken_dependents(rule, version.condition, others, schema, pointer)
        if rule.state not in EVALUATED:
            self._refuse_too_many(pipeline.id, others)

    def refuse_needed(self, pipeline: Pipeline, rule: Rule, what: str) -> None:
        """Refuse what would take a rule away from rules or scorecards that name it.

        Args:
            what: What is to become of it, as in "archived".

        Raises:
            ConflictError: Some do; the message names them.
        """
        refuse_dependents(rule, self._rules.list(pipeline.id), what)
        refuse_weighted(rule, self._scorecards.list(pipeline.id), what)

    def publish(self, pipeline: Pipeline) -> None:
        """Write the next rule set, where it differs from the one in force, and point the pipeline to it."""
        rules = self._rules.list(pipeline.id)
        ids = {rule.name: rule.id for rule in rules}
        members = replace(
            members_of(rules),
            mutes=tuple(mute.silence for mute in self._mutes.kept(pipeline.id)),
            scorecards=tuple(card.member(ids) for card in self._scorecards.list(pipeline.id) if card.is_active),
        )
        if members == self._rules.rule_set(pipeline.id, pipeline.rule_set_version):
            return
        version = pipeline.rule_set_version + 1
        self._rules.add_rule_set(pipeline.id, version, members)
        self._pipelines.set_rule_set_version(pipeline.id, version)

    def _refuse_too_many(self, pipeline_id: int, others: Sequence[Rule]) -> None:
        active = sum(other.state in EVALUATED for other in others)
        if active >= MAX_ACTIVE_RULES:
            raise ConflictError(
                f"pipeline {pipeline_id} has {active} active rules, as many as one may; switch one off first"
            )


def known_rules(rules: Sequence[Rule], own_name: str | None = None) -> KnownRules:
    """Return what a rule may refer to, of all rules of its pipeline."""
    return KnownRules(
        {rule.name: rule.current.condition for rule in rules if rule.state in REFERABLE},
        frozenset(rule.name for rule in rules if rule.state is RuleState.DRAFT),
        own_name,
    )


def members_of(rules: Sequence[Rule]) -> RuleSetMembers:
    """Return what is in force when a pipeline has these rules."""
    alerting: list[RuleVersion] = []
    shadow: list[RuleVersion] = []
    arms: list[Arms] = []
    for rule in sorted(rules, key=lambda rule: rule.id):
        if rule.state in ALERTING:
            alerting.append(rule.current)
        elif rule.state is RuleState.SHADOW:
            shadow.append(rule.current)
        if rule.state is RuleState.ROLLOUT and rule.rollout is not None:
            arms.append(Arms(rule.id, rule.current.rule_version_id, None, rule.rollout))
        if rule.candidate is None or rule.state is not RuleState.ACTIVE:
            continue
        if rule.candidate_state is RuleState.SHADOW:
            shadow.append(rule.candidate)
        elif rule.candidate_state is RuleState.ROLLOUT and rule.rollout is not None:
            alerting.append(rule.candidate)
            control = rule.current.rule_version_id
            arms.append(Arms(rule.id, rule.candidate.rule_version_id, control, rule.rollout))
    published = {rule.name: rule.current for rule in rules if rule.state in REFERABLE}
    conditions = {name: version.condition for name, version in published.items()}
    used: set[str] = set()
    for version in (*alerting, *shadow):
        used |= closure(version.condition, conditions)
    return RuleSetMembers(
        rules=tuple(version.rule_version_id for version in alerting),
        shadow=tuple(version.rule_version_id for version in shadow),
        references={name: published[name].rule_version_id for name in sorted(used & published.keys())},
        arms=tuple(arms),
    )


def refuse_weighted(rule: Rule, cards: Sequence[Scorecard], what: str) -> None:
    """Refuse what would take a rule away from scorecards that weigh it.

    Raises:
        ConflictError: Some do; the message names them.
    """
    found = [card.name for card in cards if card.is_active and rule.name in card.current.content.weights]
    if found:
        raise ConflictError(
            f"{rule.name} cannot be {what} while scorecards weigh it: {', '.join(found)}; change those first"
        )


def dependents(name: str, rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules that refer to one directly, be it with their current version or with a candidate."""
    return [rule for rule in rules if any(name in references_in(version.condition) for version in _held(rule))]


def refuse_dependents(rule: Rule, rules: Sequence[Rule], what: str) -> None:
    """Refuse what would take a rule away from those that refer to it.

    Raises:
        ConflictError: Some do; the message names them.
    """
    found = [other.name for other in dependents(rule.name, rules) if other.id != rule.id]
    if found:
        raise ConflictError(
            f"{rule.name} cannot be {what} while rules refer to it: {', '.join(found[:10])}"
            + (" and more" if len(found) > 10 else "")
            + "; change or archive those first"
        )


def refuse_broken_dependents(
    rule: Rule, condition: str, others: Sequence[Rule], schema: EventSchema, pointer: str
) -> None:
    """Refuse another condition of a rule with which rules that refer to it could not be compiled any more.

    Raises:
        ConflictError: Naming them.
    """
    before = known_rules([*others, rule]).conditions
    affected = [
        (other, version)
        for other in others
        for version in _held(other)
        if rule.name in closure(version.condition, before)
    ]
    after = {**before, rule.name: condition}
    broken: list[ErrorDetail] = []
    for other, version in affected:
        was_valid = check(version.condition, schema, KnownRules(before, own_name=other.name)).valid
        result = check(version.condition, schema, KnownRules(after, own_name=other.name))
        if was_valid and not result.valid:
            broken.append(ErrorDetail(pointer, f"{other.name}: {result.errors[0].message}"))
    if broken:
        raise ConflictError(
            f"with this change {len(broken)} rules that refer to {rule.name} could not be evaluated: "
            f"{broken[0].detail}",
            details=broken,
        )


def _held(rule: Rule) -> list[RuleVersion]:
    """Return the versions of a rule that have to stay valid."""
    if rule.state in (RuleState.DRAFT, RuleState.ARCHIVED):
        return []
    candidate = [] if rule.candidate is None or rule.candidate_state is RuleState.DRAFT else [rule.candidate]
    return [rule.current, *candidate]
