"""The storm guard's count against a plain one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.finding import Match
from sentinel.domain.rule import RuleVersion, Severity
from sentinel.domain.storm import HOUR_MS, StormGuard, hour_of, rule_hours

RULES = tuple(RuleVersion(10 + n, 100 + n, 1, "true", Severity.INFO, "") for n in range(3))
HITS = st.lists(st.tuples(st.integers(0, 2), st.sets(st.integers(0, 2), min_size=1)), max_size=40)


def matches_of(hits: list[tuple[int, set[int]]], start: int = 0) -> list[Match]:
    return [
        Match(0, start + n, hour * HOUR_MS + n, f"e{n}", tuple(sorted(rules)), {}, b"{}")
        for n, (hour, rules) in enumerate(hits)
    ]


@given(HITS, HITS, st.integers(1, 8), st.integers(0, 9))
def test_the_first_so_many_of_a_rule_and_hour_alert(
    first: list[tuple[int, set[int]]], second: list[tuple[int, set[int]]], limit: int, stored: int
) -> None:
    guard = StormGuard()
    plain: Counter[tuple[int, int]] = Counter()
    total: Counter[tuple[int, int]] = Counter()
    suppressed: Counter[tuple[int, int]] = Counter()
    for batch in (matches_of(first), matches_of(second, 1000)):
        unknown = guard.unknown(rule_hours(batch, RULES))
        assert not unknown & total.keys()
        guard.learn(dict.fromkeys(unknown, stored))
        admitted = guard.admit(batch, RULES, limit)
        suppressed += admitted.suppressed
        for match in batch:
            alerting = []
            for index in match.rules:
                place = (RULES[index].rule_id, hour_of(match.timestamp_ms))
                total[place] += 1
                if stored + plain[place] < limit:
                    plain[place] += 1
                    alerting.append(index)
            assert admitted.rules_of(match) == tuple(alerting)
    assert suppressed == total - plain


def test_what_is_forgotten_is_looked_up_again() -> None:
    guard = StormGuard()
    guard.learn({(10, 0): 1, (11, 0): 2})
    guard.forget([(10, 0)])
    assert guard.unknown([(10, 0), (11, 0)]) == {(10, 0)}
    guard.forget()
    assert guard.unknown([(10, 0), (11, 0)]) == {(10, 0), (11, 0)}


def test_a_timestamp_without_a_year_has_an_hour() -> None:
    assert hour_of(-1) == 0
    assert hour_of(2**63 - 1) == 253_402_300_799_000 // HOUR_MS
