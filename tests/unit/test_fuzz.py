"""What the bad-input campaign sends: the same for the same seed, and a second look that is right by itself."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from sentinel.domain.dead_letter import DeadLetterCause
from tests.fuzz.judges import contradiction
from tests.fuzz.records import MAX_RECORD_BYTES, RecordMutator
from tests.fuzz.requests import spoiled
from tests.support.malformed import ALL, SCHEMA

Cause = DeadLetterCause


def test_the_same_seed_makes_the_same_records() -> None:
    one, other, another = (list(RecordMutator(random.Random(seed)).records(3_000)) for seed in (7, 7, 8))
    assert one == other
    assert one[len(ALL) :] != another[len(ALL) :]
    assert [record.value for record in one[: len(ALL)]] == [record.value for record in ALL]


def test_records_are_of_many_kinds_and_at_the_borders() -> None:
    records = list(RecordMutator(random.Random(7)).records(5_000))
    assert len({record.value for record in records}) > 4_000
    assert len(Counter(record.how for record in records[len(ALL) :])) > 50
    sizes = {len(record.value or b"") for record in records}
    assert {MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1} & sizes


@pytest.mark.parametrize(
    ("value", "cause", "field"),
    [
        (None, Cause.TOMBSTONE, None),
        (b" \n", Cause.EMPTY, None),
        (b"\xff", Cause.INVALID_UTF8, None),
        (b"x" * (MAX_RECORD_BYTES + 1), Cause.TOO_LARGE, None),
        (b"[" * 999 + b"]" * 999, Cause.NOT_JSON, None),
        (b"[NaN]", Cause.NOT_JSON, None),
        (b"[1]", Cause.NOT_AN_OBJECT, None),
        (b'{"id":"a"}', Cause.MISSING_FIELD, "amount"),
        (b'{"id":"a","amount":"x"}', Cause.WRONG_TYPE, "amount"),
    ],
)
def test_a_second_look_agrees_with_what_is_right_and_contradicts_the_rest(
    value: bytes | None, cause: DeadLetterCause, field: str | None
) -> None:
    assert contradiction(value, cause, field, SCHEMA) == ""
    wrong = Cause.MISSING_FIELD if cause != Cause.MISSING_FIELD else Cause.WRONG_TYPE
    assert contradiction(value, wrong, field or "amount", SCHEMA) != ""


def test_every_parameter_of_the_description_is_spoiled() -> None:
    described = {
        "paths": {
            "/a/{x}": {"get": {"parameters": [{"in": "path", "name": "x"}, {"in": "query", "name": "q"}]}, "delete": {}}
        }
    }
    world = {name: [1, 2] for name in ("pipeline_id", "rule_id", "alert_id", "letter_id", "source_id", "scorecard_id")}
    made = list(spoiled(described, {**world, "source": ["a", "b"], "x": ["there"]}))
    paths = [request.path for request in made if request.path.startswith("/a/")]
    assert "/a/%00" in paths
    assert "/a/there?q=%ff%fe" in paths
    assert not [path for path in paths if "{" in path]
