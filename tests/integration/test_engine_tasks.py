"""Engine tasks on a real PostgreSQL: who gets one, who keeps it, what becomes of it. The handlers need no Spark."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from sentinel.catalog.engine_tasks import MAX_WAITING, EngineDesk
from sentinel.domain.engine_task import EngineTask, Lane, TaskKind, TaskState
from sentinel.domain.pipeline import PipelineConfig, PipelineStatus
from sentinel.domain.schema_definition import FieldDefinition
from sentinel.errors import (
    ConflictError,
    EngineUnavailableError,
    InvalidError,
    LeaseLostError,
    NotFoundError,
    RateLimitedError,
    SentinelError,
    StoreUnavailableError,
)
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.engine_tasks import EngineTaskQueue
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.streaming.engine_task import Handler, TaskContext
from sentinel.streaming.worker.worker import RuleWorker
from sentinel.wiring import Backend

pytestmark = pytest.mark.integration
EXPLAIN, BACKTEST = TaskKind.EXPLAIN, TaskKind.BACKTEST
LEASE_SECONDS = 3.0


@pytest.fixture(scope="module")
def backend(settings: Settings) -> Iterator[Backend]:
    opened = Backend(settings)
    opened.open()
    yield opened
    opened.close()


class Tenant:
    """A tenant with a pipeline, and what it asks for."""

    def __init__(self, backend: Backend, tenant_id: str) -> None:
        self.backend = backend
        self.id = tenant_id
        with backend.unit(tenant_id, "test") as unit:
            self.pipeline_id = unit.pipelines.create(
                name="p",
                kafka_topic="events",
                definitions=[FieldDefinition("amount", "float")],
                config=PipelineConfig(),
                start_at="earliest",
                status=PipelineStatus.ACTIVE,
            ).id

    def submit(self, kind: TaskKind = EXPLAIN, **request: Any) -> int:
        with self.backend.unit(self.id, "test") as unit:
            return unit.tasks.submit(self.pipeline_id, kind, request).id

    def get(self, task_id: int) -> EngineTask:
        with self.backend.unit(self.id, "test") as unit:
            return unit.tasks.get(task_id)

    def cancel(self, task_id: int) -> EngineTask:
        with self.backend.unit(self.id, "test") as unit:
            return unit.tasks.cancel(task_id)

    def finished(self, task_id: int, seconds: float = 20) -> EngineTask:
        task = self.backend.desk(self.id, "test").wait(task_id, seconds)
        assert task.state.is_final, task
        return task


@pytest.fixture
def mine(backend: Backend, tenant: str) -> Tenant:
    return Tenant(backend, tenant)


@pytest.fixture
def other(backend: Backend, settings: Settings, tenant: str) -> Tenant:
    ensure_tenant(settings.postgres, f"{tenant}-other", "test")
    return Tenant(backend, f"{tenant}-other")


def queue_of(settings: Settings, database: Database, worker: str, tenant_id: str = "") -> EngineTaskQueue:
    return EngineTaskQueue(database, worker, tenant_id=tenant_id, lease_seconds=LEASE_SECONDS, max_attempts=2)


@pytest.fixture
def work(settings: Settings) -> Iterator[Callable[..., RuleWorker]]:
    """Starts workers that do tasks with the given handlers."""
    with ExitStack() as started:

        def start(handlers: dict[TaskKind, Handler], tenant_id: str = "", poll_seconds: float = 0.5) -> RuleWorker:
            quick = settings.worker.model_copy(update={"lease_seconds": LEASE_SECONDS, "poll_seconds": poll_seconds})
            worker = RuleWorker(settings.model_copy(update={"worker": quick}), handlers, tenant_id=tenant_id)
            thread = threading.Thread(target=worker.run)
            thread.start()
            started.callback(thread.join, 20)
            started.callback(worker.stop)
            return worker

        yield start


class TestTheQueue:
    def test_a_task_is_given_to_one_worker_only(self, settings: Settings, database: Database, mine: Tenant) -> None:
        task_id = mine.submit(a=1)
        queues = [queue_of(settings, database, f"w{number}") for number in range(8)]
        barrier = threading.Barrier(len(queues))
        claimed: list[Any] = []

        def claim(queue: EngineTaskQueue) -> None:
            barrier.wait()
            claimed.append(queue.claim(mine.id, task_id))

        threads = [threading.Thread(target=claim, args=(queue,)) for queue in queues]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        got = [task for task in claimed if task is not None]
        assert [(task.id, task.tenant_id, task.attempt, task.request) for task in got] == [
            (task_id, mine.id, 1, {"a": 1})
        ]
        assert mine.get(task_id).state is TaskState.RUNNING

    def test_a_worker_sees_the_tasks_of_all_tenants_and_one_of_a_tenant_its_own(
        self, settings: Settings, database: Database, mine: Tenant, other: Tenant
    ) -> None:
        my_task, first_of_other = mine.submit(), other.submit()
        other.submit()
        mine.submit(BACKTEST)
        seen = queue_of(settings, database, "w").waiting(Lane.SHORT, [EXPLAIN])
        assert {(mine.id, my_task), (other.id, first_of_other)} <= set(seen)
        assert queue_of(settings, database, "w", mine.id).waiting(Lane.SHORT, [EXPLAIN]) == [(mine.id, my_task)]

    def test_a_task_of_a_kind_it_does_not_know_is_left_alone(
        self, settings: Settings, database: Database, mine: Tenant
    ) -> None:
        mine.submit()
        assert queue_of(settings, database, "w", mine.id).waiting(Lane.SHORT, [TaskKind.TEST]) == []

    def test_the_task_of_a_silent_worker_is_taken_up_and_that_worker_writes_nothing_more(
        self, settings: Settings, database: Database, mine: Tenant
    ) -> None:
        task_id = mine.submit()
        silent, second = queue_of(settings, database, "silent"), queue_of(settings, database, "second")
        held = silent.claim(mine.id, task_id)
        assert held is not None
        assert silent.beat(held, {"share": 0.5}) is False
        assert mine.get(task_id).progress == {"share": 0.5}
        assert second.claim(mine.id, task_id) is None
        time.sleep(LEASE_SECONDS + 0.2)
        again = second.claim(mine.id, task_id)
        assert again is not None
        assert again.attempt == 2
        with pytest.raises(LeaseLostError):
            silent.beat(held, None)
        assert not silent.finish(held, TaskState.DONE, result={"by": "silent"})
        assert not silent.give_back(held, counts=True)
        assert second.finish(again, TaskState.DONE, result={"by": "second"})
        assert mine.get(task_id).result == {"by": "second"}

    def test_a_task_that_costs_its_workers_is_given_up(
        self, settings: Settings, database: Database, mine: Tenant
    ) -> None:
        task_id = mine.submit()
        queue = queue_of(settings, database, "w")
        for attempt in (1, 2):
            held = queue.claim(mine.id, task_id)
            assert held is not None
            assert held.attempt == attempt
            time.sleep(LEASE_SECONDS + 0.2)
        assert queue.claim(mine.id, task_id) is None
        failed = mine.get(task_id)
        assert failed.state is TaskState.FAILED
        assert failed.error is not None
        assert "2 workers ended" in failed.error.message


class TestIsolation:
    def test_another_tenants_task_does_not_exist(self, mine: Tenant, other: Tenant, backend: Backend) -> None:
        task_id = mine.submit()
        with pytest.raises(NotFoundError):
            other.get(task_id)
        with pytest.raises(NotFoundError):
            other.cancel(task_id)
        with backend.unit(other.id, "test") as unit:
            assert unit.tasks.list() == []
            with pytest.raises(NotFoundError):
                unit.tasks.submit(mine.pipeline_id, EXPLAIN, {})
        assert mine.get(task_id).state is TaskState.QUEUED

    def test_a_worker_bound_to_a_tenant_cannot_claim_for_it_what_is_anothers(
        self, settings: Settings, database: Database, mine: Tenant, other: Tenant
    ) -> None:
        assert queue_of(settings, database, "w").claim(other.id, mine.submit()) is None

    def test_the_workers_view_shows_nothing_finished_and_changes_nothing(
        self, settings: Settings, database: Database, mine: Tenant
    ) -> None:
        task_id = mine.submit(secret="x")
        with database.transaction("", engine_worker="w") as tx:
            assert tx.execute("UPDATE sentinel.engine_tasks SET state = 'failed' RETURNING id").fetchall() == []
            assert tx.execute("SELECT id FROM sentinel.pipelines").fetchall() == []
            assert tx.execute("SELECT id FROM sentinel.engine_tasks WHERE id = %s", (task_id,)).fetchone()
        mine.cancel(task_id)
        with database.transaction("", engine_worker="w") as tx:
            assert not tx.execute("SELECT id FROM sentinel.engine_tasks WHERE id = %s", (task_id,)).fetchone()
        with database.transaction("") as tx:
            assert tx.execute("SELECT id FROM sentinel.engine_tasks").fetchall() == []


class TestTheWorker:
    def test_it_is_woken_by_a_task_and_keeps_result_and_progress(
        self, work: Callable[..., RuleWorker], mine: Tenant
    ) -> None:
        def add(context: TaskContext) -> dict[str, Any]:
            context.report({"share": 1.0})
            return {"sum": sum(context.request["numbers"]), "pipeline": context.pipeline_id, "of": context.tenant_id}

        work({EXPLAIN: add}, mine.id, poll_seconds=60)
        mine.finished(mine.submit(numbers=[]), seconds=90)  # it listens by then
        done = mine.finished(mine.submit(numbers=[1, 2]), seconds=50)
        assert done.state is TaskState.DONE
        assert done.result == {"sum": 3, "pipeline": mine.pipeline_id, "of": mine.id}
        assert done.progress == {"share": 1.0}

    def test_a_short_task_is_not_behind_a_long_one(self, work: Callable[..., RuleWorker], mine: Tenant) -> None:
        release = threading.Event()

        def long(context: TaskContext) -> dict[str, Any]:
            return {"released": release.wait(15)}

        work({EXPLAIN: lambda _: {"short": True}, BACKTEST: long}, mine.id)
        behind = mine.submit(BACKTEST)
        while mine.get(behind).state is not TaskState.RUNNING:
            time.sleep(0.02)
        assert mine.finished(mine.submit(), 5).result == {"short": True}
        assert mine.get(behind).state is TaskState.RUNNING
        release.set()
        assert mine.finished(behind).result == {"released": True}

    def test_one_tenants_queue_does_not_hold_another_up(
        self, work: Callable[..., RuleWorker], mine: Tenant, other: Tenant
    ) -> None:
        for _ in range(20):
            mine.submit()
        its = other.submit()
        work({EXPLAIN: lambda _: time.sleep(0.1) or {"ok": True}})
        other.finished(its, 15)
        with mine.backend.unit(mine.id, "test") as unit:
            done = [task for task in unit.tasks.list() if task.state is TaskState.DONE]
        assert len(done) <= 3

    def test_a_running_task_is_cancelled(self, work: Callable[..., RuleWorker], mine: Tenant) -> None:
        def until_cancelled(context: TaskContext) -> dict[str, Any]:
            while True:
                context.report({"share": 0.25})
                context.check()
                time.sleep(0.01)

        work({BACKTEST: until_cancelled}, mine.id)
        task_id = mine.submit(BACKTEST)
        while mine.get(task_id).progress != {"share": 0.25}:
            time.sleep(0.02)
        assert mine.cancel(task_id).cancel_requested
        ended = mine.finished(task_id, 5)
        assert (ended.state, ended.result, ended.error) == (TaskState.CANCELLED, None, None)
        with pytest.raises(ConflictError, match="is cancelled already"):
            mine.cancel(task_id)

    def test_a_stop_gives_what_runs_to_the_next_worker(self, work: Callable[..., RuleWorker], mine: Tenant) -> None:
        began: list[int] = []

        def first(context: TaskContext) -> dict[str, Any]:
            began.append(context.task_id)
            while True:
                context.check()
                time.sleep(0.01)

        stopped = work({BACKTEST: first}, mine.id)
        task_id = mine.submit(BACKTEST)
        while not began:
            time.sleep(0.02)
        stopped.stop()
        work({BACKTEST: lambda _: {"by": "second"}}, mine.id)
        done = mine.finished(task_id)
        assert done.result == {"by": "second"}
        assert done.attempts == 1

    @pytest.mark.parametrize(
        ("error", "slug", "says"),
        [
            (NotFoundError("no such event"), "not-found", "no such event"),
            (InvalidError("a \x00 in it"), "invalid", "a \ufffd in it"),
            (ZeroDivisionError("division by zero"), "internal", "ZeroDivisionError: division by zero"),
            (StoreUnavailableError("the lake", "away"), "unavailable", "the lake does not answer: away"),
        ],
    )
    def test_a_failure_is_told(
        self, work: Callable[..., RuleWorker], mine: Tenant, error: Exception, slug: str, says: str
    ) -> None:
        def fail(_: TaskContext) -> dict[str, Any]:
            raise error

        work({EXPLAIN: fail}, mine.id)
        failed = mine.finished(mine.submit())
        assert failed.state is TaskState.FAILED
        assert failed.error is not None
        assert failed.error.slug == slug
        assert says in failed.error.message

    def test_a_long_task_that_met_an_outage_is_tried_again(self, work: Callable[..., RuleWorker], mine: Tenant) -> None:
        seen: list[int] = []

        def recovers(context: TaskContext) -> dict[str, Any]:
            seen.append(context.task_id)
            if len(seen) == 1:
                raise StoreUnavailableError("the lake", "away")
            return {"tries": len(seen)}

        work({BACKTEST: recovers}, mine.id)
        assert mine.finished(mine.submit(BACKTEST)).result == {"tries": 2}


class TestTheDesk:
    def test_it_answers_and_keeps_nothing(
        self, work: Callable[..., RuleWorker], mine: Tenant, backend: Backend
    ) -> None:
        work({EXPLAIN: lambda context: {"twice": context.request["n"] * 2}}, mine.id)
        assert backend.desk(mine.id, "test").ask(mine.pipeline_id, EXPLAIN, {"n": 21}) == {"twice": 42}
        with backend.unit(mine.id, "test") as unit:
            assert unit.tasks.list() == []

    def test_the_error_of_the_task_is_the_callers(
        self, work: Callable[..., RuleWorker], mine: Tenant, backend: Backend
    ) -> None:
        def fail(_: TaskContext) -> dict[str, Any]:
            raise NotFoundError("no such event")

        work({EXPLAIN: fail}, mine.id)
        with pytest.raises(NotFoundError, match="no such event"):
            backend.desk(mine.id, "test").ask(mine.pipeline_id, EXPLAIN, {})

    def test_without_a_worker_it_says_so_and_leaves_nothing_behind(self, mine: Tenant, backend: Backend) -> None:
        with pytest.raises(EngineUnavailableError, match="sentinel rule-worker"):
            impatient(backend, mine).ask(mine.pipeline_id, EXPLAIN, {})
        with backend.unit(mine.id, "test") as unit:
            assert unit.tasks.list() == []

    def test_a_worker_that_is_slow_is_told_from_one_that_is_away(
        self, work: Callable[..., RuleWorker], mine: Tenant, backend: Backend
    ) -> None:
        def slow(context: TaskContext) -> dict[str, Any]:
            return {"stopped": context.stopped.wait(10)}

        work({EXPLAIN: slow}, mine.id)
        with pytest.raises(EngineUnavailableError, match="Spark is starting"):
            impatient(backend, mine).ask(mine.pipeline_id, EXPLAIN, {})

    def test_no_more_requests_wait_than_there_are_places(self, mine: Tenant, backend: Backend) -> None:
        places = threading.BoundedSemaphore(1)
        desk = impatient(backend, mine, places)
        with places, pytest.raises(EngineUnavailableError, match="as many requests as may wait"):
            desk.ask(mine.pipeline_id, EXPLAIN, {})

    def test_one_tenant_cannot_fill_the_queue(self, mine: Tenant) -> None:
        for _ in range(MAX_WAITING[Lane.LONG]):
            mine.submit(BACKTEST)
        with pytest.raises(RateLimitedError, match="cancel some"):
            mine.submit(BACKTEST)
        mine.submit(EXPLAIN)

    def test_an_unknown_failure_is_still_an_error(
        self, work: Callable[..., RuleWorker], mine: Tenant, backend: Backend
    ) -> None:
        def fail(_: TaskContext) -> dict[str, Any]:
            raise ZeroDivisionError

        work({EXPLAIN: fail}, mine.id)
        with pytest.raises(SentinelError, match="ZeroDivisionError"):
            backend.desk(mine.id, "test").ask(mine.pipeline_id, EXPLAIN, {})


def impatient(backend: Backend, tenant: Tenant, places: threading.BoundedSemaphore | None = None) -> EngineDesk:
    """A desk that waits for a second."""

    @contextmanager
    def tasks() -> Iterator[Any]:
        with backend.unit(tenant.id, "test") as unit:
            yield unit.tasks

    return EngineDesk(tasks, places or threading.BoundedSemaphore(4), timeout_seconds=1.0)
