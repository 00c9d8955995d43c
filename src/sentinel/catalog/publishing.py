"""The one way in which versions of rules come into force: each is admitted, then the next rule set is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sentinel.catalog.rule_test_gate import RuleTestGate
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.reference_list import ListDefinition
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
from sentinel.errors import ConflictError, ErrorDetail, InvalidRuleError, NotFoundError
from sentinel.rules.checker import check
from sentinel.rules.compiler import compile_condition
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.known import KnownNames
from sentinel.rules.limits import MAX_LOOKUPS
from sentinel.rules.meaning import Around, around
from sentinel.rules.references import closure, may_refer, references_in
from sentinel.rules.tables_read import may_read, tables_read
from sentinel.stores.base import PipelineStore, RuleStore, SchemaStore
from sentinel.stores.beside_rules import ListReader, MuteStore, ScorecardStore

# What the figures in docs/performance.md were measured with.
MAX_ACTIVE_RULES = 1000


class Publisher:
    """Puts versions of one tenant's rules in force. The caller holds the pipeline's lock."""

    def __init__(
        self,
        pipelines: PipelineStore,
        schemas: SchemaStore,
        rules: RuleStore,
        *,
        lists: ListReader,
        mutes: MuteStore,
        scorecards: ScorecardStore,
        tests: RuleTestGate,
        demand: Callable[[Pipeline, str], None],
    ) -> None:
        """Build it.

        Args:
            demand: Called with a condition that is about to alert; may raise to refuse it.
        """
        self._pipelines = pipelines
        self._schemas = schemas
        self._rules = rules
        self._lists = lists
        self._mutes = mutes
        self._scorecards = scorecards
        self._tests = tests
        self._demand = demand
        self._waits = False

    @contextmanager
    def at_once(self, pipeline: Pipeline) -> Iterator[None]:
        """Put everything that is changed within in force by one rule set, at the end; rules are read once.

        Raises:
            ConflictError: As `publish`.
        """
        with self._rules.held(pipeline.id):
            self._waits = True
            try:
                yield
            finally:
                self._waits = False
            self.publish(pipeline)

    def schema_of(self, pipeline: Pipeline) -> EventSchema:
        """Return the schema in force.

        Raises:
            NotFoundError: The pipeline points to a schema that does not exist.
        """
        version = self._schemas.get(pipeline.id, pipeline.schema_version)
        if version is None:
            raise NotFoundError(f"pipeline {pipeline.id} has no schema version {pipeline.schema_version}")
        return version.schema

    def known_names(self, pipeline_id: int | None, text: str | None = None, own_name: str | None = None) -> KnownNames:
        """Return what a rule may name beside the fields of its schema.

        Args:
            pipeline_id: None: it is no pipeline's yet, so there are no other rules.
            text: Of the rule; what it cannot name is not read. None: everything.
            own_name: Of the rule.
        """
        refers = text is None or may_refer(text)
        rules = self._rules.list(pipeline_id) if refers and pipeline_id is not None else ()
        tables = self._lists.definitions() if refers or may_read(text or "") else ()
        return known_names(rules, tables, own_name)

    def around(self, condition: str, known: KnownNames) -> Around:
        """Return what the rules and lists that a condition names stand for now."""
        return around(condition, known.conditions, self._lists.pin)

    def admit(
        self, pipeline: Pipeline, rule: Rule, version: RuleVersion, state: RuleState, *, what: str, pointer: str
    ) -> None:
        """Refuse a version that must not be evaluated in this state. Every version passes here before it is in force.

        Args:
            rule: As it is now.
            version: Its current one, its candidate, or one that is written but not pointed to yet.
            state: shadow, rollout or active, or paused for one that may be activated as it is: where the version goes.
            what: Names the version in the message.
            pointer: What in the request asked for it.

        Raises:
            ConflictError: It does not fit the schema or the other rules, breaks rules that refer to it, or the
                pipeline evaluates as many rules as one may. Where it would alert: its tests fail or were not run.
        """
        others = [other for other in self._rules.list(pipeline.id) if other.id != rule.id]
        known = known_names(others, self._lists.definitions(), rule.name)
        known = replace(known, conditions={**known.conditions, rule.name: rule.current.condition})
        schema = self.schema_of(pipeline)
        result = check(version.condition, schema, known)
        if result.valid and _leaves_draft(rule, version):
            # A draft may be any text, so this is where it is held to what a new rule is.
            result = check_rule(version.short_form or version.condition, schema, known).result
        if not result.valid:
            raise ConflictError(
                f"{what} does not fit schema version {pipeline.schema_version} of its pipeline or the rules it refers "
                "to; change its expression first",
                details=[ErrorDetail(pointer, issue.message) for issue in result.errors],
            )
        if state in ALERTING and not (rule.state in ALERTING and version.condition == rule.current.condition):
            self._demand(pipeline, version.condition)
        if state in ALERTING:
            meaning = self.around(version.condition, known)
            self._tests.require_passed(rule.id, version.condition, pipeline.schema_version, meaning)
        beside = rule.candidate == version and state in (RuleState.SHADOW, RuleState.ROLLOUT)
        if not beside:
            self.refuse_broken_dependents(pipeline, rule, version.condition, pointer)
        evaluated = _evaluated(rule)
        if state in EVALUATED and version.rule_version_id not in evaluated:
            held = len(evaluated) if beside else 0
            self._refuse_too_many(pipeline.id, held + sum(len(_evaluated(other)) for other in others))

    def refuse_needed(self, pipeline: Pipeline, rule: Rule, what: str) -> None:
        """Refuse what would take a rule away from rules or scorecards that name it.

        Args:
            what: What is to become of it, as in "archived".

        Raises:
            ConflictError: Some do; the message names them.
        """
        refuse_dependents(rule, self._rules.list(pipeline.id), what)
        refuse_weighted(rule, self._scorecards.list(pipeline.id), what)

    def refuse_broken_dependents(self, pipeline: Pipeline, rule: Rule, condition: str, pointer: str) -> None:
        """Refuse another condition of a rule with which rules that refer to it could not be compiled any more.

        Raises:
            ConflictError: Naming them.
        """
        rules = self._rules.list(pipeline.id)
        others = [other for other in rules if other.id != rule.id]
        if not dependents(rule.name, others):
            return
        schema, before = self.schema_of(pipeline), known_names(rules, self._lists.definitions())
        after = replace(before, conditions={**before.conditions, rule.name: condition})
        broken: list[ErrorDetail] = []
        held = [(other.name, version.condition) for other in others for version in _held(other)]
        for name, text in held:
            if rule.name not in closure(text, before.conditions):
                continue
            was_valid = check(text, schema, replace(before, own_name=name)).valid
            result = check(text, schema, replace(after, own_name=name))
            if was_valid and not result.valid:
                broken.append(ErrorDetail(pointer, f"{name}: {result.errors[0].message}"))
        if broken:
            raise ConflictError(
                f"with this change {len(broken)} rules that refer to {rule.name} could not be evaluated: "
                f"{broken[0].detail}",
                details=broken,
            )

    def publish(self, pipeline: Pipeline) -> None:
        """Write the next rule set, where it differs from the one in force, and point the pipeline to it.

        It holds the newest versions of the lists that its rules read; the lists stay at them until the unit of work
        ends.

        Raises:
            ConflictError: All its rules together look up more in lists than those of a pipeline may.
        """
        if self._waits:
            return
        rules = self._rules.list(pipeline.id)
        ids = {rule.name: rule.id for rule in rules}
        members = members_of(rules)
        read = {name for names in members.reads.values() for name in names}
        if read:
            members = replace(members, lists=self._lists.pin(sorted(read)))
        members = replace(
            members.without(self._rules.quarantined(pipeline.id)),
            mutes=tuple(mute.silence for mute in self._mutes.kept(pipeline.id)),
            scorecards=tuple(card.member(ids) for card in self._scorecards.list(pipeline.id) if card.is_active),
        )
        if members == self._rules.rule_set(pipeline.id, pipeline.rule_set_version):
            return
        self._refuse_too_many_lookups(pipeline, rules, members)
        version = pipeline.rule_set_version + 1
        self._rules.add_rule_set(pipeline.id, version, members)
        self._pipelines.set_rule_set_version(pipeline.id, version)

    def _refuse_too_many_lookups(self, pipeline: Pipeline, rules: Sequence[Rule], members: RuleSetMembers) -> None:
        """Bound what all rules together look up; rules that look up the same share it."""
        if not members.reads:
            return
        schema, known = self.schema_of(pipeline), known_names(rules, self._lists.definitions())
        needed: set[str] = set()
        for version in (version for rule in rules for version in _held(rule)):
            if version.rule_version_id in members.reads:
                try:
                    compiled = compile_condition(version.condition, schema, known)
                except InvalidRuleError:
                    continue  # The job refuses it, so it looks nothing up.
                needed |= {column.lookup.name for column in compiled.lookups}
        if len(needed) > MAX_LOOKUPS:
            raise ConflictError(
                f"the rules in force of pipeline {pipeline.id} would need {len(needed)} different look-ups in "
                f"reference tables; at most {MAX_LOOKUPS} are possible. Rules with the same subquery share one"
            )

    def _refuse_too_many(self, pipeline_id: int, active: int) -> None:
        if active >= MAX_ACTIVE_RULES:
            raise ConflictError(
                f"pipeline {pipeline_id} has {active} active rules, as many as one may; switch one off first"
            )


def known_names(rules: Sequence[Rule], tables: Sequence[ListDefinition], own_name: str | None = None) -> KnownNames:
    """Return what a rule may name, of all rules of its pipeline and all lists of its tenant."""
    return KnownNames(
        {rule.name: rule.current.condition for rule in rules if rule.state in REFERABLE},
        frozenset(rule.name for rule in rules if rule.state is RuleState.DRAFT),
        own_name,
        tuple(tables),
    )


def members_of(rules: Sequence[Rule]) -> RuleSetMembers:
    """Return what is in force when a pipeline has these rules; without the versions of the lists that they read."""
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
        reads=_reads((*alerting, *shadow), conditions),
    )


def _reads(versions: Sequence[RuleVersion], conditions: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    read = {version.rule_version_id: tables_read(version.condition, conditions) for version in versions}
    return {version_id: tuple(sorted(names)) for version_id, names in read.items() if names}


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
    return [
        rule
        for rule in rules
        # Most texts do not have the name in them, which is told at once.
        if any(name in text and name in references_in(text) for text in (each.condition for each in _held(rule)))
    ]


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


def _evaluated(rule: Rule) -> set[int]:
    """Return the ids of the versions of a rule that are evaluated, be it off the alert path."""
    if rule.state not in EVALUATED:
        return set()
    tried = rule.state is RuleState.ACTIVE and rule.candidate_state in (RuleState.SHADOW, RuleState.ROLLOUT)
    candidate = {rule.candidate.rule_version_id} if rule.candidate is not None and tried else set()
    return {rule.current.rule_version_id} | candidate


def _held(rule: Rule) -> list[RuleVersion]:
    """Return the versions of a rule that have to stay valid."""
    if rule.state in (RuleState.DRAFT, RuleState.ARCHIVED):
        return []
    candidate = [] if rule.candidate is None or rule.candidate_state is RuleState.DRAFT else [rule.candidate]
    return [rule.current, *candidate]


def _leaves_draft(rule: Rule, version: RuleVersion) -> bool:
    """Tell whether a version was a draft so far: the rule's own, or its candidate."""
    if rule.candidate is not None and rule.candidate.rule_version_id == version.rule_version_id:
        return rule.candidate_state is RuleState.DRAFT
    return rule.state is RuleState.DRAFT
