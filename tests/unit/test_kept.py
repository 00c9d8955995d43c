"""Answers that are kept for a moment."""

from __future__ import annotations

import threading
import time

import pytest

from sentinel.kept import MAX_KEPT, Kept


class Clock:
    """Goes on when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TestKept:
    def test_it_is_kept_as_long_as_it_was_dear(self) -> None:
        clock, made = Clock(), []
        kept: Kept[int] = Kept(clock)

        def make() -> int:
            made.append(1)
            clock.now += 0.25
            return len(made)

        assert kept.get("a", make) == 1
        clock.now += 4.9
        assert kept.get("a", make) == 1
        clock.now += 0.2
        assert kept.get("a", make) == 2

    def test_what_costs_nothing_is_made_anew(self) -> None:
        kept: Kept[int] = Kept(Clock())
        answers = iter(range(10))
        assert [kept.get("a", lambda: next(answers)) for _ in range(3)] == [0, 1, 2]

    def test_each_question_has_its_own(self) -> None:
        clock = Clock()
        kept: Kept[str] = Kept(clock)

        def slow(words: str) -> str:
            clock.now += 1
            return words

        assert kept.get(("acme", 24), lambda: slow("acme")) == "acme"
        assert kept.get(("other", 24), lambda: slow("other")) == "other"

    def test_a_failure_is_not_kept(self) -> None:
        kept: Kept[int] = Kept(Clock())

        def fail() -> int:
            raise LookupError("away")

        with pytest.raises(LookupError):
            kept.get("a", fail)
        assert kept.get("a", lambda: 1) == 1

    def test_those_who_ask_at_once_wait_for_one(self) -> None:
        clock, made, begun, go_on = Clock(), [], threading.Event(), threading.Event()
        kept: Kept[int] = Kept(clock)

        def slow() -> int:
            begun.set()
            go_on.wait(10)
            clock.now += 1
            made.append(1)
            return 7

        answers: list[int] = []
        asking = [threading.Thread(target=lambda: answers.append(kept.get("a", slow))) for _ in range(4)]
        for each in asking:
            each.start()
        assert begun.wait(10)
        go_on.set()
        for each in asking:
            each.join(10)
        assert (answers, len(made)) == ([7, 7, 7, 7], 1)

    def test_those_who_waited_for_what_failed_are_told_at_once(self) -> None:
        clock, made, begun, go_on = Clock(), [], threading.Event(), threading.Event()
        kept: Kept[int] = Kept(clock)

        def fail() -> int:
            begun.set()
            go_on.wait(10)
            clock.now += 30
            made.append(1)
            raise LookupError("away")

        failures: list[str] = []

        def ask() -> None:
            try:
                kept.get("a", fail)
            except LookupError as error:
                failures.append(str(error))

        asking = [threading.Thread(target=ask) for _ in range(4)]
        asking[0].start()
        assert begun.wait(10)
        for each in asking[1:]:
            each.start()
        entry = kept._entries["a"]
        while sum(each.is_alive() for each in asking) < 4 or not entry.lock.locked():
            time.sleep(0.01)
        time.sleep(0.2)
        go_on.set()
        for each in asking:
            each.join(10)
        assert (failures, len(made)) == (["away"] * 4, 1)
        clock.now += 1
        assert kept.get("a", lambda: 1) == 1

    def test_for_a_time_of_ones_own(self) -> None:
        clock = Clock()
        kept: Kept[int] = Kept(clock, lambda _: 1.0)
        answers = iter(range(10))
        found = []
        for _ in range(4):
            found.append(kept.get("a", lambda: next(answers)))
            clock.now += 0.6
        assert found == [0, 0, 1, 1]

    def test_what_was_changed_is_made_anew(self) -> None:
        kept: Kept[int] = Kept(Clock(), lambda _: 1.0)
        answers = iter(range(10))
        assert [kept.get(key, lambda: next(answers)) for key in ("mine", "others")] == [0, 1]
        kept.forget(lambda key: key == "mine")
        assert [kept.get(key, lambda: next(answers)) for key in ("mine", "others")] == [2, 1]

    def test_memory_is_bounded(self) -> None:
        kept: Kept[int] = Kept(Clock())
        for number in range(3 * MAX_KEPT):
            kept.get(number, lambda: 1)
        assert len(kept._entries) <= MAX_KEPT
