"""What follows from matches beside alerts: which of them are silent, and what scorecards decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import orjson

from sentinel.domain.finding import Match
from sentinel.domain.generation import Generation
from sentinel.domain.mute import Silence, Silencer
from sentinel.domain.rule import RuleSet, RuleVersion
from sentinel.domain.timestamps import utc
from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("verdicts")


@dataclass(frozen=True, slots=True)
class Judged:
    """A match with what becomes of it.

    Attributes:
        event_id, entities: As they are stored.
        matched: Every rule that is true.
        alerted: Those of them that raise an alert; the others are muted or snoozed.
        silent: Rule id and cause of those that do not.
    """

    match: Match
    event_id: str
    entities: dict[str, str]
    matched: list[RuleVersion]
    alerted: list[RuleVersion]
    silent: list[tuple[int, str]]


@lru_cache(maxsize=64)
def silencer_of(silences: tuple[Silence, ...]) -> Silencer:
    """Return the silencer of a rule set; built once, since a rule set does not change."""
    return Silencer(silences)


def judge(rule_set: RuleSet, matches: list[Match]) -> list[Judged]:
    """Tell what becomes of each match under its generation's rule set."""
    silencer = silencer_of(rule_set.mutes)
    judged = []
    for match in matches:
        matched = [rule_set.rules[index] for index in match.rules]
        # NUL is no text to PostgreSQL, and who snoozes an entity names it as alerts show it.
        entities = {field: value.replace("\x00", "\ufffd") for field, value in match.entities.items()}
        alerted, silent = matched, []
        if silencer:
            causes = [silencer.cause(rule.rule_id, entities, match.timestamp_ms) for rule in matched]
            alerted = [rule for rule, cause in zip(matched, causes, strict=True) if cause is None]
            silent = [(rule.rule_id, cause.value) for rule, cause in zip(matched, causes, strict=True) if cause]
        judged.append(Judged(match, match.event_id.replace("\x00", "\ufffd"), entities, matched, alerted, silent))
    return judged


def count_silent(tx: Connection, tenant_id: str, pipeline_id: int, judged: list[Judged]) -> None:
    """Count the matches that raise no alert, per rule and hour.

    Call before the progress advances in the same transaction: what lies below it was counted when it was decided, so
    committing the same again adds nothing.
    """
    if not any(each.silent for each in judged):
        return
    rows = tx.execute(_SQL["decided"], {"pipeline_id": pipeline_id}).fetchall()
    decided: Mapping[int, int] = {row["partition"]: row["next_offset"] for row in rows}
    counts: Counter[tuple[int, datetime, str]] = Counter()
    for each in judged:
        match = each.match
        if match.offset >= decided.get(match.partition, 0):
            counts.update((rule_id, _hour(match.timestamp_ms), cause) for rule_id, cause in each.silent)
    with tx.cursor() as cursor:
        cursor.executemany(
            _SQL["count_suppressed"],
            [
                {
                    "tenant_id": tenant_id,
                    "pipeline_id": pipeline_id,
                    "rule_id": rule_id,
                    "hour": hour,
                    "cause": cause,
                    "match_count": count,
                }
                for (rule_id, hour, cause), count in sorted(counts.items())
            ],
        )


def write_decisions(tx: Connection, tenant_id: str, generation: Generation, judged: list[Judged]) -> None:
    """Write what scorecards say of matched events; the first record of an event decides, and replays add nothing."""
    rows = list(decision_rows(generation.snapshot.rule_set, judged))
    if rows:
        parameters = {
            "tenant_id": tenant_id,
            "pipeline_id": generation.snapshot.pipeline_id,
            "generation_id": generation.generation_id,
            "rows": orjson.dumps(rows).decode(),
        }
        tx.execute(_SQL["insert_decisions"], parameters)


def decision_rows(rule_set: RuleSet, judged: list[Judged]) -> Iterator[dict[str, object]]:
    """Yield a row per event and scorecard that has points for one of its rules, muted ones among them."""
    for card in rule_set.scorecards:
        for each in judged:
            rule_ids = sorted({rule.rule_id for rule in each.matched})
            score = card.score(rule_ids)
            if score is not None:
                yield {
                    "scorecard_id": card.scorecard_id,
                    "scorecard_version_id": card.scorecard_version_id,
                    "event_id": each.event_id,
                    "score": score,
                    "decision": card.thresholds.decide(score).value,
                    "rule_ids": rule_ids,
                    "kafka_partition": each.match.partition,
                    "kafka_offset": each.match.offset,
                    "kafka_timestamp": utc(each.match.timestamp_ms),
                }


def _hour(timestamp_ms: int) -> datetime:
    moment = utc(timestamp_ms)
    return moment - timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
