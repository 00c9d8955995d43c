"""How often changes are rehearsed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from sentinel.streaming.job import rehearsals as module
from sentinel.streaming.job.rehearsals import Rehearsals


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.001)


def hold(rehearsals: Rehearsals, pipeline_id: int, act: Callable[[str], None], stopping: threading.Event) -> None:
    """Hold them and wait until they are over."""
    rehearsals.hold(pipeline_id, act, stopping)
    for thread in threading.enumerate():
        if thread.name == f"rehearsal-{pipeline_id}":
            thread.join(60)
            assert not thread.is_alive()


class TestRehearsals:
    def test_each_has_a_name_of_its_own(self) -> None:
        names: list[str] = []
        hold(Rehearsals(8), 1, names.append, threading.Event())
        assert len(set(names)) == len(names) == 8

    def test_pipelines_of_a_driver_share_them(self) -> None:
        names: list[str] = []
        rehearsals = Rehearsals(3)
        for pipeline_id in (1, 2):
            hold(rehearsals, pipeline_id, names.append, threading.Event())
        assert len(names) == 3

    def test_they_end_when_the_pipeline_does_and_the_next_one_goes_on(self) -> None:
        names: list[str] = []
        stopping = threading.Event()

        def rehearse(name: str) -> None:
            names.append(name)
            stopping.set()

        rehearsals = Rehearsals(3)
        hold(rehearsals, 1, rehearse, stopping)
        assert len(names) == 1
        hold(rehearsals, 2, names.append, threading.Event())
        assert len(set(names)) == 3

    def test_a_failure_ends_them_for_the_pipeline_and_disturbs_nobody(self) -> None:
        tried: list[str] = []

        def rehearse(name: str) -> None:
            tried.append(name)
            raise RuntimeError("no")

        hold(Rehearsals(3), 1, rehearse, threading.Event())
        assert len(tried) == 1

    def test_without_any_there_is_no_thread(self) -> None:
        before = threading.active_count()
        Rehearsals(0).hold(1, pytest.fail, threading.Event())
        assert threading.active_count() == before
