"""Use cases on the life of a rule: its state, a candidate version beside it, rollout, promotion, abort."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.catalog.audit import Auditor
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.rules import RuleCatalog
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rollout import BUCKETS, ArmCount
from sentinel.domain.rule import (
    EVALUATED,
    TRANSITIONS,
    RolloutPlan,
    Rule,
    RuleState,
    RuleVersion,
    Severity,
)
from sentinel.errors import ConflictError, ErrorDetail, InvalidError
from sentinel.stores.base import RuleStore

CANDIDATE_STATES = (RuleState.DRAFT, RuleState.SHADOW, RuleState.ROLLOUT)
_ADMITTED = frozenset((RuleState.SHADOW, RuleState.ROLLOUT, RuleState.ACTIVE, RuleState.PAUSED))


class LifecycleCatalog:
    """Moves rules and candidates of one tenant from state to state."""

    def __init__(
        self, rules: RuleStore, catalog: RuleCatalog, publisher: Publisher, auditor: Auditor, caller: str
    ) -> None:
        self._rules = rules
        self._catalog = catalog
        self._publisher = publisher
        self._auditor = auditor
        self._caller = caller

    def set_state(
        self,
        rule_id: int,
        state: RuleState,
        *,
        expected_version: int | None,
        entity: str | None = None,
        share: int | None = None,
        comment: str = "",
    ) -> Rule:
        """Move a rule to another state.

        Args:
            entity: For a rollout: the field whose value decides who is in; None: the one in force, or the first entity.
            share: For a rollout: buckets of 10,000 that are in.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: That state cannot follow; the message names those that can. Or the rule has errors.
            InvalidError: A rollout without a share, or by something that is no entity.
        """
        pipeline, rule = self._catalog.locked_rule(rule_id, expected_version)
        if state is rule.state and state is not RuleState.ROLLOUT:
            return rule
        if state is not rule.state and state not in TRANSITIONS[rule.state]:
            raise ConflictError(
                f"{rule.name} is {rule.state}, which {state} cannot follow; possible are "
                f"{', '.join(TRANSITIONS[rule.state])}"
            )
        plan = self._plan(pipeline, rule, rule.current, state=state, entity=entity, share=share)
        if state in (RuleState.DRAFT, RuleState.ARCHIVED):
            self._publisher.refuse_needed(pipeline, rule, "archived" if state is RuleState.ARCHIVED else "made a draft")
        if state in EVALUATED or (state is RuleState.PAUSED and rule.state is RuleState.DRAFT):
            self._publisher.admit(pipeline, rule, rule.current, state, what=f"rule {rule.name}", pointer="/state")
        self._rules.set_state([rule_id], state, plan)
        self._publisher.publish(pipeline)
        return self._auditor.rule("state", rule, self._catalog.get(rule_id), comment)

    def propose(
        self,
        rule_id: int,
        *,
        rule_expression: str,
        severity: Severity | None,
        description: str,
        expected_version: int | None,
        comment: str = "",
    ) -> Rule:
        """Write a version beside the current one, as a draft; a candidate that is there already is replaced.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            InvalidError: Two different severities.
            ConflictError: The rule is neither active nor paused: then its own version is the one that is tried.
        """
        pipeline, rule = self._catalog.locked_rule(rule_id, expected_version)
        if rule.state not in (RuleState.ACTIVE, RuleState.PAUSED):
            raise ConflictError(
                f"{rule.name} is {rule.state}: its own version is the one that is tried; change that one, or make the "
                "rule active first"
            )
        content = self._catalog.content(
            pipeline, rule_expression, severity or rule.current.severity, description, name=rule.name, draft=True
        )
        version = self._rules.add_version(rule_id, content, created_by=self._caller, comment=comment, current=False)
        self._rules.set_candidate(rule_id, version, RuleState.DRAFT)
        self._publisher.publish(pipeline)
        return self._auditor.rule("propose", rule, self._catalog.get(rule_id), comment)

    def set_candidate_state(
        self,
        rule_id: int,
        state: RuleState,
        *,
        expected_version: int | None,
        entity: str | None = None,
        share: int | None = None,
        comment: str = "",
    ) -> Rule:
        """Move the candidate of an active rule to draft, shadow or rollout, or change the share of its rollout.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: It has no candidate, is not active, or the candidate has errors.
            InvalidError: No state of a candidate; a rollout without a share, or by something that is no entity.
        """
        pipeline, rule = self._catalog.locked_rule(rule_id, expected_version)
        candidate = _candidate_of(rule)
        if state not in CANDIDATE_STATES:
            message = f"a candidate is {', '.join(CANDIDATE_STATES)}, not {state}; promote it to make it active"
            raise InvalidError(message, details=[ErrorDetail("/state", message)])
        plan = self._plan(pipeline, rule, candidate, state=state, entity=entity, share=share)
        if state is not RuleState.DRAFT:
            if rule.state is not RuleState.ACTIVE:
                raise ConflictError(f"{rule.name} is {rule.state}; a candidate is tried beside an active rule only")
            what = f"version {candidate.version} of {rule.name}"
            self._publisher.admit(pipeline, rule, candidate, state, what=what, pointer="/state")
        self._rules.set_candidate(rule_id, candidate.version, state, plan)
        self._publisher.publish(pipeline)
        return self._auditor.rule("candidate", rule, self._catalog.get(rule_id), comment)

    def promote(self, rule_id: int, *, expected_version: int | None, comment: str = "") -> Rule:
        """Make what is tried the rule: the candidate, or a new rule's own version. It is active from then on.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: Nothing is tried, or what is tried has errors.
        """
        pipeline, rule = self._catalog.locked_rule(rule_id, expected_version)
        if rule.candidate is None and rule.state in (RuleState.SHADOW, RuleState.ROLLOUT):
            return self.set_state(rule_id, RuleState.ACTIVE, expected_version=None, comment=comment)
        candidate = _candidate_of(rule)
        what = f"version {candidate.version} of {rule.name}"
        self._publisher.admit(pipeline, rule, candidate, RuleState.ACTIVE, what=what, pointer="")
        self._rules.set_candidate(rule_id, None, None)
        self._rules.set_current(rule_id, candidate.version)
        if rule.state is not RuleState.ACTIVE:
            self._rules.set_state([rule_id], RuleState.ACTIVE)
        self._publisher.publish(pipeline)
        return self._auditor.rule("promote", rule, self._catalog.get(rule_id), comment)

    def abort(self, rule_id: int, *, expected_version: int | None, comment: str = "") -> Rule:
        """Give up what is tried: the candidate goes, its version stays in the history; a new rule is paused.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: Nothing is tried.
        """
        pipeline, rule = self._catalog.locked_rule(rule_id, expected_version)
        if rule.candidate is None and rule.state in (RuleState.SHADOW, RuleState.ROLLOUT):
            return self.set_state(rule_id, RuleState.PAUSED, expected_version=None, comment=comment)
        _candidate_of(rule)
        self._rules.set_candidate(rule_id, None, None)
        self._publisher.publish(pipeline)
        return self._auditor.rule("abort", rule, self._catalog.get(rule_id), comment)

    def arm_counts(self, rule: Rule) -> tuple[ArmCount, ...]:
        """Return the alerts of each arm of a rollout, per share that it has had; none where none is under way."""
        version = rule.candidate or rule.current
        if rule.rollout is None:
            return ()
        return self._rules.arm_counts(rule.pipeline_id, rule.id, version.rule_version_id, rule.rollout.entity)

    def deactivate(self, pipeline: Pipeline, rule_ids: Sequence[int], candidates: Sequence[Rule]) -> None:
        """Pause rules, and make candidates drafts, that no longer fit the schema; the caller holds the pipeline."""
        touched = [*map(self._catalog.get, rule_ids), *(rule for rule in candidates if rule.id not in rule_ids)]
        if rule_ids:
            self._rules.set_state(rule_ids, RuleState.PAUSED)
        for rule in candidates:
            if rule.candidate is not None and rule.id not in rule_ids:
                self._rules.set_candidate(rule.id, rule.candidate.version, RuleState.DRAFT)
        for rule in touched:
            why = f"does not fit schema version {pipeline.schema_version}"
            self._auditor.rule("deactivate", rule, self._catalog.get(rule.id), why)
        self._publisher.publish(pipeline)

    def _plan(
        self,
        pipeline: Pipeline,
        rule: Rule,
        version: RuleVersion,
        *,
        state: RuleState,
        entity: str | None,
        share: int | None,
    ) -> RolloutPlan | None:
        if state is not RuleState.ROLLOUT:
            if entity is not None or share is not None:
                message = f"entity and share belong to a rollout, not to {state}"
                raise InvalidError(message, details=[ErrorDetail("/share", message)])
            return None
        if share is None or not 1 <= share <= BUCKETS:
            message = "a rollout needs a share, from 0.01 to 100 percent of the entities"
            raise InvalidError(message, details=[ErrorDetail("/share_percent", message)])
        entities = [field.name for field in self._publisher.schema_of(pipeline).entities]
        chosen = entity or (rule.rollout.entity if rule.rollout else next(iter(entities), None))
        if chosen not in entities:
            known = f"those are {', '.join(entities)}" if entities else "the schema has none"
            message = f"a rollout goes by a field of role entity: {known}" + (f", not {chosen!r}" if chosen else "")
            raise InvalidError(message, details=[ErrorDetail("/entity", message)])
        # A larger share keeps everybody who was in; another entity is another draw.
        salt = f"rule-{rule.id}-v{version.version}"
        return RolloutPlan(chosen, share, salt)


def _candidate_of(rule: Rule) -> RuleVersion:
    if rule.candidate is None:
        raise ConflictError(f"{rule.name} has no candidate version; write one with PUT /api/rules/{rule.id}/candidate")
    return rule.candidate
