"""Use cases on scorecards: rules with points, whose sum decides about an event."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sentinel.catalog.audit import Auditor
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.rules import no_pipeline
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rule import RULE_NAME
from sentinel.domain.scorecard import (
    MAX_SCORECARDS,
    MAX_WEIGHTS,
    EventDecision,
    Scorecard,
    ScorecardContent,
    ScorecardVersion,
)
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.base import PipelineStore, RuleStore
from sentinel.stores.beside_rules import ScorecardStore


class ScorecardCatalog:
    """Scorecards of one tenant. Each change writes the next rule set, so every event has exactly one version."""

    def __init__(
        self,
        pipelines: PipelineStore,
        rules: RuleStore,
        scorecards: ScorecardStore,
        publisher: Publisher,
        auditor: Auditor,
        *,
        caller: str,
    ) -> None:
        self._pipelines = pipelines
        self._rules = rules
        self._scorecards = scorecards
        self._publisher = publisher
        self._auditor = auditor
        self._caller = caller

    def list(self, pipeline_id: int) -> tuple[Scorecard, ...]:
        """Return the scorecards of a pipeline, oldest first.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        if self._pipelines.get(pipeline_id) is None:
            raise no_pipeline(pipeline_id)
        return self._scorecards.list(pipeline_id)

    def get(self, scorecard_id: int) -> Scorecard:
        """Return a scorecard.

        Raises:
            NotFoundError: There is no such scorecard.
        """
        card = self._scorecards.get(scorecard_id)
        if card is None:
            raise NotFoundError(f"there is no scorecard {scorecard_id}")
        return card

    def versions(self, scorecard_id: int) -> tuple[ScorecardVersion, ...]:
        """Return all versions, newest first.

        Raises:
            NotFoundError: There is no such scorecard.
        """
        self.get(scorecard_id)
        return self._scorecards.versions(scorecard_id)

    def decisions_on(self, pipeline_id: int, event_id: str, *, processed: bool) -> Sequence[EventDecision]:
        """Return what the scorecards say of an event.

        Args:
            processed: It is known to be: a scorecard in force that none of its rules matched then approves it.
        """
        decided = list(self._scorecards.decisions_on(pipeline_id, event_id))
        if not processed:
            return decided
        names = {decision.scorecard for decision in decided}
        for card in self._scorecards.list(pipeline_id):
            if card.is_active and card.name not in names:
                decision = card.current.content.thresholds.decide(0)
                decided.append(EventDecision(card.name, card.current.version, 0, decision, (), None))
        return sorted(decided, key=lambda decision: decision.scorecard)

    def add(self, pipeline_id: int, name: str, content: ScorecardContent, *, comment: str = "") -> Scorecard:
        """Add a scorecard, active at once.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidError: A rule that there is not, or thresholds in the wrong order.
            ConflictError: The name is taken, or the pipeline has as many as one may.
        """
        pipeline = self._locked(pipeline_id)
        cards = self._scorecards.list(pipeline_id)
        if RULE_NAME.fullmatch(name) is None:
            message = f"{name[:80]!r} is no name of a scorecard: a-z, then a-z, 0-9 and _, at most 64 characters"
            raise InvalidError(message, details=[ErrorDetail("/name", message)])
        if any(card.name == name for card in cards):
            message = f"pipeline {pipeline_id} has a scorecard named {name} already; change that one"
            raise ConflictError(message, details=[ErrorDetail("/name", "taken")])
        if len(cards) >= MAX_SCORECARDS:
            raise ConflictError(f"pipeline {pipeline_id} has {len(cards)} scorecards, as many as one may")
        self._refuse_wrong(pipeline_id, content)
        number = self._scorecards.add(pipeline_id, name, content, created_by=self._caller, comment=comment)
        self._publisher.publish(pipeline)
        return self._auditor.scorecard("add", None, self.get(number), comment)

    def change(
        self, scorecard_id: int, content: ScorecardContent, *, expected_version: int | None, comment: str = ""
    ) -> Scorecard:
        """Write the next version of a scorecard. The same content again changes nothing.

        Raises:
            NotFoundError: There is no such scorecard.
            VersionMismatchError: It is no longer at the expected version.
            InvalidError: A rule that there is not, or thresholds in the wrong order.
        """
        pipeline, card = self._locked_card(scorecard_id, expected_version)
        self._refuse_wrong(pipeline.id, content)
        if dict(card.current.content.weights) == dict(content.weights) and (
            card.current.content.thresholds == content.thresholds
        ):
            return card
        self._scorecards.add_version(scorecard_id, content, created_by=self._caller, comment=comment)
        self._publisher.publish(pipeline)
        return self._auditor.scorecard("change", card, self.get(scorecard_id), comment)

    def set_active(
        self, scorecard_id: int, is_active: bool, *, expected_version: int | None, comment: str = ""
    ) -> Scorecard:
        """Switch a scorecard on or off; what it decided stays.

        Raises:
            NotFoundError: There is no such scorecard.
            VersionMismatchError: It is no longer at the expected version.
            InvalidError: One of its rules is gone.
        """
        pipeline, card = self._locked_card(scorecard_id, expected_version)
        if card.is_active == is_active:
            return card
        if is_active:
            self._refuse_wrong(pipeline.id, card.current.content)
        self._scorecards.set_active(scorecard_id, is_active)
        self._publisher.publish(pipeline)
        return self._auditor.scorecard("status", card, self.get(scorecard_id), comment)

    def _refuse_wrong(self, pipeline_id: int, content: ScorecardContent) -> None:
        names = [rule.name for rule in self._rules.list(pipeline_id)]
        known = set(names)
        problems = []
        if not 1 <= len(content.weights) <= MAX_WEIGHTS:
            problems.append(ErrorDetail("/weights", f"a scorecard weighs 1 to {MAX_WEIGHTS} rules"))
        for name in content.weights:
            if name not in known:
                near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
                way_out = f"; did you mean {' or '.join(near)}?" if near else ""
                pointer = name[:64].replace("~", "~0").replace("/", "~1")
                problems.append(
                    ErrorDetail(f"/weights/{pointer}", f"the pipeline has no rule named {name[:64]!r}{way_out}")
                )
        if content.thresholds.review > content.thresholds.decline:
            problems.append(
                ErrorDetail("/thresholds/review", "review lies above decline, so nothing would be reviewed")
            )
        if problems:
            raise InvalidError(problems[0].detail, details=problems)

    def _locked(self, pipeline_id: int) -> Pipeline:
        pipeline = self._pipelines.lock(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        return pipeline

    def _locked_card(self, scorecard_id: int, expected_version: int | None) -> tuple[Pipeline, Scorecard]:
        pipeline = self._locked(self.get(scorecard_id).pipeline_id)
        card = self.get(scorecard_id)
        refuse_other_version(f"scorecard {scorecard_id}", card.version, expected_version)
        return pipeline, card
