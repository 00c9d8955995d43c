"""The hand-over between generations, as plain state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.finding import FindingBatch, Match
from sentinel.domain.generation import Generation
from sentinel.streaming.sink.handover import Handover
from tests.unit.streaming.builders import make_snapshot

OLD, NEW = 1, 2


def generation(number: int, starts: dict[int, int]) -> Generation:
    return Generation(number, make_snapshot(), 1, starts)


def found(partition: int, *offsets: int) -> FindingBatch:
    """Matches at these offsets; everything up to the last one is decided."""
    matches = [Match(partition, offset, 0, f"{partition}/{offset}", (0,), {}, b"{}") for offset in offsets]
    return FindingBatch(matches=matches, next_offsets={partition: max(offsets) + 1})


def marker(partition: int, offset: int) -> FindingBatch:
    return FindingBatch(next_offsets={partition: offset + 1})


def propose(handover: Handover, number: int, starts: dict[int, int], highs: dict[int, int], now: float = 0) -> None:
    """Make a generation the candidate and start its query."""
    handover.propose(generation(number, starts), highs, now)
    handover.started(number, now)


def serving(decided: dict[int, int], *, steady_seconds: float = 0) -> Handover:
    handover = Handover(decided, steady_seconds=steady_seconds)
    propose(handover, OLD, decided, decided)
    handover.absorb({}, now=0)
    assert handover.current is not None
    return handover


class TestFirstGeneration:
    def test_becomes_active_at_its_first_sign_of_life(self) -> None:
        handover = Handover({0: 10, 1: 20})
        propose(handover, OLD, {0: 9, 1: 19}, {0: 15, 1: 20})
        assert handover.absorb({}, now=0) == []
        parts = handover.absorb({OLD: marker(1, 19)}, now=0)
        assert [part.borders for part in parts] == [{0: 10, 1: 20}]

    def test_of_an_empty_topic_needs_no_sign(self) -> None:
        handover = Handover({0: 0})
        propose(handover, OLD, {0: 0}, {0: 0})
        assert [part.borders for part in handover.absorb({}, now=0)] == [{0: 0}]

    def test_does_not_decide_the_record_before_its_border_again(self) -> None:
        handover = Handover({0: 10})
        propose(handover, OLD, {0: 9}, {0: 10})
        (part,) = handover.absorb({OLD: found(0, 9)}, now=0)
        assert part.batch.matches == []
        assert handover.decided == {0: 10}


class TestChange:
    def test_border_is_what_is_decided_when_the_candidate_has_caught_up(self) -> None:
        handover = serving({0: 0})
        handover.absorb({OLD: found(0, 4)}, now=0)
        propose(handover, NEW, {0: 4}, {0: 5})
        assert [p.borders for p in handover.absorb({OLD: found(0, 7)}, now=1)] == [None]
        assert handover.absorb({NEW: marker(0, 5)}, now=1.2) == []
        parts = handover.absorb({NEW: marker(0, 7)}, now=1.3)
        assert [part.borders for part in parts] == [{0: 8}]
        assert handover.current is not None
        assert handover.current.generation_id == NEW

    def test_a_candidate_that_is_hardly_behind_takes_over_and_decides_from_the_border_on(self) -> None:
        handover = serving({0: 0})
        propose(handover, NEW, {0: 0}, {0: 5})
        handover.absorb({OLD: found(0, 0, 1, 2)}, now=1)
        (part,) = handover.absorb({NEW: found(0, 0)}, now=1.05)
        assert (part.borders, part.batch.matches, handover.decided) == ({0: 3}, [], {0: 3})
        (part,) = handover.absorb({OLD: found(0, 3), NEW: found(0, 1, 2, 3, 4)}, now=1.1)
        assert [match.offset for match in part.batch.matches] == [3, 4]

    def test_one_that_stays_behind_takes_over_in_the_end(self) -> None:
        handover = serving({0: 0})
        propose(handover, NEW, {0: 0}, {0: 5})
        handover.absorb({OLD: found(0, 1)}, now=1)
        # A second behind, always.
        parts = [handover.absorb({OLD: found(0, now), NEW: found(0, now - 2)}, now=now) for now in range(2, 70)]
        assert [now for now, found_now in enumerate(parts, 2) if any(part.borders for part in found_now)] == [50]

    def test_a_candidate_must_be_near_for_a_while(self) -> None:
        handover = serving({0: 0}, steady_seconds=0.3)
        propose(handover, NEW, {0: 0}, {0: 5})
        assert [p.borders for p in handover.absorb({OLD: found(0, 0), NEW: found(0, 0)}, now=1)] == [None]
        assert [p.borders for p in handover.absorb({OLD: found(0, 1)}, now=1.2)] == [None]
        assert handover.absorb({}, now=1.4) == []  # 0.2 s behind: it begins anew
        assert handover.absorb({NEW: found(0, 1)}, now=1.5) == []
        assert handover.absorb({}, now=1.7) == []
        assert [p.borders for p in handover.absorb({}, now=1.9)] == [{0: 2}]

    def test_a_candidate_whose_query_does_not_run_does_not_take_over(self) -> None:
        handover = serving({0: 0})
        handover.propose(generation(NEW, {0: 0}), {0: 0}, now=0)
        assert handover.absorb({}, now=100) == []
        handover.started(NEW, now=100)
        assert handover.absorb({}, now=101) == []
        assert [p.borders for p in handover.absorb({}, now=104)] == [{0: 0}]

    def test_nothing_of_a_retired_generation_counts(self) -> None:
        handover = serving({0: 0})
        handover.retire(OLD)
        assert handover.absorb({OLD: found(0, 0)}, now=1) == []
        propose(handover, NEW, {0: 0}, {0: 1}, now=1)
        (part,) = handover.absorb({OLD: found(0, 1), NEW: found(0, 0)}, now=2)
        assert (part.borders, handover.decided) == ({0: 0}, {0: 1})

    def test_held_findings_of_a_candidate_that_is_ahead_are_committed_with_the_border(self) -> None:
        handover = serving({0: 0, 1: 0})
        propose(handover, NEW, {0: 0, 1: 0}, {0: 5, 1: 5})
        handover.absorb({OLD: found(0, 2), NEW: found(0, 2, 6)}, now=0)
        old, new = handover.absorb({OLD: found(0, 3), NEW: marker(1, 0)}, now=0)
        assert old.batch.next_offsets == {0: 4}
        assert new.borders == {0: 4, 1: 0}
        assert [match.offset for match in new.batch.matches] == [6]
        assert handover.decided == {0: 7, 1: 1}

    def test_findings_of_the_old_generation_after_the_border_are_ignored(self) -> None:
        handover = serving({0: 0})
        propose(handover, NEW, {0: 0}, {0: 1})
        handover.absorb({NEW: found(0, 0)}, now=0)
        assert handover.absorb({OLD: found(0, 1)}, now=0) == []

    def test_a_partition_that_is_silent_holds_the_border_back_until_silence_is_accepted(self) -> None:
        handover = serving({0: 0, 1: 5})
        propose(handover, NEW, {0: 0, 1: 4}, {0: 1, 1: 5})
        assert handover.absorb({NEW: found(0, 0)}, now=0) == []
        handover.accept_silence([1])
        assert [part.borders for part in handover.absorb({}, now=0)] == [{0: 0, 1: 5}]

    def test_a_withdrawn_candidate_leaves_the_old_one_serving(self) -> None:
        handover = serving({0: 0})
        propose(handover, NEW, {0: 0}, {0: 1})
        assert handover.withdraw(NEW)
        parts = handover.absorb({OLD: found(0, 0), NEW: found(0, 0)}, now=0)
        assert [part.generation.generation_id for part in parts] == [OLD]

    def test_a_candidate_that_serves_by_now_cannot_be_withdrawn(self) -> None:
        handover = serving({0: 0})
        propose(handover, NEW, {0: 0}, {0: 1})
        handover.absorb({NEW: found(0, 0)}, now=0)
        assert not handover.withdraw(NEW)

    def test_a_new_partition_begins_with_the_candidate(self) -> None:
        handover = serving({0: 0})
        propose(handover, NEW, {0: 0, 1: 0}, {0: 0, 1: 3})
        assert handover.absorb({}, now=9) == []
        assert [part.borders for part in handover.absorb({NEW: found(1, 0)}, now=0)] == [{0: 0, 1: 0}]


@given(
    st.lists(st.tuples(st.sampled_from([OLD, NEW]), st.integers(1, 5), st.floats(0, 0.2)), max_size=60),
    st.integers(0, 10),
)
def test_every_offset_is_decided_by_exactly_one_generation(
    turns: list[tuple[int, int, float]], propose_at: int
) -> None:
    """Whatever the order in which the two generations' findings arrive, each record's match is committed once."""
    handover = serving({0: 0})
    position = {OLD: 0, NEW: 0}
    committed: list[tuple[int, int]] = []
    proposed = False
    now = 0.0
    for turn, (who, count, pause) in enumerate([*turns, (OLD, 1, 0), (NEW, 60, 0), (OLD, 60, 0), (NEW, 60, 0)]):
        now += pause
        if turn >= propose_at and not proposed and handover.current:
            position[NEW] = max(0, handover.decided[0] - 1)
            propose(handover, NEW, {0: position[NEW]}, {0: max(position.values())}, now)
            proposed = True
        if who == NEW and not proposed:
            continue
        offsets = range(position[who], position[who] + count)
        position[who] += count
        for part in handover.absorb({who: found(0, *offsets)}, now):
            committed += [(match.offset, part.generation.generation_id) for match in part.batch.matches]
    offsets = [offset for offset, _ in committed]
    assert offsets == list(range(handover.decided[0]))
    generations = [number for _, number in committed]
    assert generations == sorted(generations)
