"""Tallies against counting one by one, and whatever way the events are divided."""

from __future__ import annotations

import itertools
import random
from functools import reduce
from operator import or_

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.streaming.history.tally import Tally, TallyShape
from sentinel.streaming.query.layout import Branch, Buckets, Mask, bit_of, places_in

# The second is one with branches: a row has rules of one of them at most.
MASKS = (Mask((5, 0)), Mask((2, 1), None, Buckets("m", 2), (Branch(0, (2,)), Branch(1, (1,)))), Mask((3, 4)))
SHAPE = TallyShape(asked=2, variants=1, others=3, buckets=4, samples=3, masks=MASKS)
Row = tuple[int, bool | None, int, frozenset[int], frozenset[int]]


def batch(rows: list[Row], first: int) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {
        "bucket": pa.array([row[0] for row in rows], pa.int32()),
        "label": pa.array([row[1] for row in rows], pa.bool_()),
        "rank": pa.array([row[2] for row in rows], pa.int64()),
        "generation_id": pa.array([1] * len(rows), pa.int64()),
        "partition": pa.array([0] * len(rows), pa.int32()),
        "offset": pa.array(range(first, first + len(rows)), pa.int64()),
    }
    for index, mask in enumerate(SHAPE.masks):
        values = [
            reduce(or_, (bit_of(part, bit) for part, bit, rule in places_in(mask) if rule in row[3]), 0) for row in rows
        ]
        columns[f"_mask_{index}"] = pa.array(values, pa.int64())
    columns["_unknown_0"] = pa.array([sum(1 << rule for rule in row[4]) for row in rows], pa.int64())
    return pa.RecordBatch.from_pydict(columns)


rows = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([None, True, False]),
        st.integers(-3, 3),
        st.frozensets(st.integers(0, 5)).map(lambda rules: rules - {1} if 2 in rules else rules),
        st.frozensets(st.integers(0, 1)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(rows, st.lists(st.integers(0, 40), max_size=4), st.randoms(use_true_random=False))
def test_it_counts_what_is_there(events: list[Row], cuts: list[int], chance: random.Random) -> None:
    bounds = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    parts = []
    for start, end in itertools.pairwise(bounds):
        part = Tally.empty(SHAPE)
        part.add(SHAPE, batch(events[start:end], start))
        parts.append(Tally.from_bytes(part.to_bytes()))
    chance.shuffle(parts)
    total = Tally.empty(SHAPE)
    for part in parts:
        total.merge(part)

    def count(bucket: int | None = None, label: bool | None = None, **matching: int) -> int:
        return sum(
            1
            for event in events
            if (bucket is None or event[0] == bucket)
            and (label is None or event[1] is label)
            and all(rule in event[3] for rule in matching.values())
        )

    assert [*total.events] == [count(bucket) for bucket in range(4)]
    labelled = count(label=False), count(label=True)
    assert [*total.labelled] == [len(events) - sum(labelled), *labelled]
    for rule in range(3):
        assert [*total.matches[rule]] == [count(bucket, a=rule) for bucket in range(4)]
        assert total.true_matches[rule] == count(label=True, a=rule)
        assert total.false_matches[rule] == count(label=False, a=rule)
    assert [*total.other_matches] == [count(a=rule) for rule in (3, 4, 5)]
    for rule in range(2):
        assert [*total.both[rule]] == [count(a=rule, b=other) for other in (3, 4, 5)]
        assert total.unknown[rule].sum() == sum(rule in event[4] for event in events)
        ranked = sorted((event[2], offset) for offset, event in enumerate(events) if rule in event[3])
        assert total.places(rule) == [(1, 0, offset) for _, offset in ranked[:3]]


def test_no_samples_are_kept_where_none_are_asked_for() -> None:
    shape = TallyShape(asked=1, variants=0, others=0, buckets=1, samples=0, masks=(Mask((0,)),))
    tally = Tally.empty(shape)
    tally.add(shape, batch([(0, None, 1, frozenset({5}), frozenset())], 0))
    assert (tally.places(0), int(np.sum(tally.matches))) == ([], 1)
