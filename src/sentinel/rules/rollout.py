"""Rollout: a stable share of the entities, and the expressions that let exactly one arm decide each event."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sentinel.domain.rollout import BUCKETS
from sentinel.domain.rule import RolloutPlan, RuleSet
from sentinel.rules.literals import text_literal
from sentinel.rules.syntax import EVENT


def bucket(salt: str, key: str) -> int:
    """Return the bucket of an entity, 0 to 9999.

    `md5(salt:key)`, first 8 hex digits, modulo 10,000: the same in Spark, PostgreSQL, DuckDB and Python. A share is the
    buckets below a number, so whoever was in a share is in every larger one of the same salt.

    Args:
        key: The entity's value as text.
    """
    digest = hashlib.md5(f"{salt}:{key}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % BUCKETS


def bucket_sql(salt: str, key_sql: str) -> str:
    """Return the bucket as Spark SQL; null where the key is."""
    hashed = f"md5(CAST(concat({text_literal(salt + ':')}, {key_sql}) AS BINARY))"
    return f"(CAST(conv(substring({hashed}, 1, 8), 16, 10) AS BIGINT) % {BUCKETS}L)"


def in_share_sql(plan: RolloutPlan) -> str:
    """Return the condition that an event's entity is in the share: true or false, false where it has none."""
    key = f"CAST({EVENT}.`{plan.entity}` AS STRING)"
    return f"coalesce({bucket_sql(plan.salt, key)} < {plan.share}L, false)"


def armed_conditions(rule_set: RuleSet, conditions: Sequence[str]) -> list[str]:
    """Return each rule's condition as it decides: that of a rule in rollout for its own arm's events only.

    The candidate decides for entities in the share, where its outcome is not unknown; the control decides everything
    else. So each event has exactly one arm, and a candidate that cannot tell leaves the event to the control.

    Args:
        conditions: Compiled, in the order of `rule_set.rules`.
    """
    decisive = list(conditions)
    places = {rule.rule_version_id: index for index, rule in enumerate(rule_set.rules)}
    for arms in rule_set.arms:
        candidate = conditions[places[arms.candidate_id]]
        in_share = in_share_sql(arms.plan)
        decisive[places[arms.candidate_id]] = f"({in_share} AND {candidate})"
        if arms.control_id is not None:
            control = conditions[places[arms.control_id]]
            decisive[places[arms.control_id]] = f"(NOT ({in_share} AND ({candidate}) IS NOT NULL) AND {control})"
    return decisive
