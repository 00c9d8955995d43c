from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.worker_process import WorkerProcess


class Counting:
    """Counts its runs; `work` decides what each does."""

    def __init__(self, name: str, work: Callable[[int, threading.Event], None]) -> None:
        self.name = name
        self.runs = 0
        self._work = work

    def run(self, stopping: threading.Event) -> None:
        self.runs += 1
        self._work(self.runs, stopping)


def until_stopped(_run: int, stopping: threading.Event) -> None:
    stopping.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def started(process: WorkerProcess) -> tuple[threading.Thread, list[bool]]:
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(process.run()))
    thread.start()
    return thread, results


class TestWorkerProcess:
    def test_loops_run_beside_each_other_until_it_is_stopped(self) -> None:
        loops = [Counting("one", until_stopped), Counting("two", until_stopped)]
        process = WorkerProcess(loops)
        thread, results = started(process)
        wait_for(lambda: all(state.is_running for state in process.states().values()))
        process.stop()
        thread.join()
        assert results == [True]
        assert [loop.runs for loop in loops] == [1, 1]
        assert not any(state.is_running for state in process.states().values())

    def test_a_loop_that_fails_is_run_again_and_the_others_go_on(self) -> None:
        def fail_twice(run: int, stopping: threading.Event) -> None:
            if run <= 2:
                raise ValueError("secret")
            stopping.wait()

        bad, good = Counting("bad", fail_twice), Counting("good", until_stopped)
        process = WorkerProcess([bad, good], first_pause_seconds=0.01)
        thread, results = started(process)
        wait_for(lambda: bad.runs == 3)
        state = process.states()["bad"]
        process.stop()
        thread.join()
        assert results == [True]
        assert good.runs == 1
        assert state.failure_count == 2
        assert "secret" not in state.error

    def test_a_loop_that_ends_by_itself_is_run_again(self) -> None:
        ending = Counting("ending", lambda run, stopping: None if run == 1 else stopping.wait())
        process = WorkerProcess([ending], first_pause_seconds=0.01)
        thread, _ = started(process)
        wait_for(lambda: ending.runs == 2)
        process.stop()
        thread.join()
        assert process.states()["ending"].error == "it ended without being asked to"

    def test_a_failing_loop_does_not_delay_the_stop(self) -> None:
        def fail(_run: int, _stopping: threading.Event) -> None:
            raise StoreUnavailableError("PostgreSQL", "refused")

        process = WorkerProcess([Counting("bad", fail)], first_pause_seconds=50)
        thread, results = started(process)
        wait_for(lambda: process.states()["bad"].failure_count == 1)
        process.stop()
        thread.join(10)
        assert results == [True]

    def test_a_loop_that_does_not_end_is_left_behind(self) -> None:
        release = threading.Event()
        process = WorkerProcess([Counting("deaf", lambda _run, _stopping: _wait(release))], stop_seconds=0.05)
        thread, results = started(process)
        wait_for(lambda: process.states()["deaf"].is_running)
        process.stop()
        thread.join(10)
        release.set()
        assert results == [False]

    def test_it_waits_for_a_store_that_is_away(self) -> None:
        answers = [StoreUnavailableError("PostgreSQL", "refused"), None]

        def check() -> None:
            answer = answers.pop(0)
            if answer is not None:
                raise answer

        loop = Counting("one", until_stopped)
        process = WorkerProcess([loop], check=check, first_pause_seconds=0.01)
        thread, _ = started(process)
        wait_for(lambda: loop.runs == 1)
        process.stop()
        thread.join()
        assert answers == []

    def test_what_cannot_work_ends_it(self) -> None:
        def check() -> None:
            raise ConfigurationError("a privileged role")

        loop = Counting("one", until_stopped)
        with pytest.raises(ConfigurationError, match="privileged"):
            WorkerProcess([loop], check=check).run()
        assert loop.runs == 0

    def test_two_loops_of_one_name_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="same name"):
            WorkerProcess([Counting("one", until_stopped), Counting("one", until_stopped)])


def _wait(event: threading.Event) -> None:
    event.wait()
