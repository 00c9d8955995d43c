"""What happens to the driver: it is killed, loses checkpoints or executors, meets a twin, or its clock is set."""

from __future__ import annotations

import random
import shutil
import time
from functools import partial

import psutil

from sentinel.domain.pipeline import DetectMode
from sentinel.localstack.cluster import start_cluster, stop_cluster, worker_names
from sentinel.streaming.job.slots import slots_for
from tests.chaos.clock import SteppedClock
from tests.chaos.flow import PARTITIONS
from tests.chaos.ground import Case, Ground

REALTIME = DetectMode.REALTIME
RANDOM_KILLS = 20
SEED = 20261122


def _wait_death(ground: Ground) -> None:
    ground.wait_death()


def _killed_at(name: str, what: str, fault: str) -> Case:
    return Case(f"kill: {name}", f"kill -9 {what}", _wait_death, first={"SENTINEL_TEST_FAULTS": fault})


def _new_generation(ground: Ground) -> None:
    """Add a rule; the driver dies when the generation with it takes over."""
    ground.calm()
    ground.bench.add_rule(ground.pipeline_id, "never", "amount < 0")
    ground.wait_death()


def _at_file(folder: str, ground: Ground) -> None:
    """Kill the driver when a micro-batch, or a long batch of Real-Time Mode, is written down in its checkpoint."""
    seen = set(ground.checkpoints.rglob(f"{folder}/[0-9]*"))
    deadline = time.monotonic() + 150
    while not set(ground.checkpoints.rglob(f"{folder}/[0-9]*")) - seen:
        assert time.monotonic() < deadline, f"no batch was written to {folder}"
        time.sleep(0.002)
    ground.kill()


def _at_random(ground: Ground) -> None:
    moments = random.Random(f"{SEED} {ground.mode.value}")
    for _ in range(RANDOM_KILLS):
        # From the start of the driver: its start, its first records and its steady work are all in reach.
        time.sleep(moments.uniform(0.5, 20.0))
        ground.kill()


def checkpoint_lost(ground: Ground) -> None:
    count = len(ground.keeper.deaths) + 1
    ground.keeper.kill()
    ground.lose_checkpoints()
    ground.wait_death(count)


def _checkpoint_restored(ground: Ground) -> None:
    """A backup of the checkpoints is put in place of the newer ones."""
    backup = ground.bench.directory / "backup"
    shutil.copytree(ground.checkpoints, backup)
    ground.calm(8)
    ground.keeper.kill()
    ground.lose_checkpoints()
    shutil.copytree(backup, ground.checkpoints)
    ground.wait_death()


def _twin(ground: Ground) -> None:
    """A second driver is started beside the first; then the first one dies."""
    twin = ground.bench.start_job(
        ground.pipeline_id, SENTINEL_JOB__CHECKPOINT_DIR=str(ground.bench.directory / "checkpoints-of-the-twin")
    )
    ground.bench.wait_until("the second waits", lambda: "waiting for the lease" in twin.log.read_text(), twin)
    ground.kill()
    ground.wait_alerts()
    twin.kill()


def _clock_stepped(ground: Ground) -> None:
    clock = ground.tools["clock"]
    assert isinstance(clock, SteppedClock)
    for seconds in (3600, -3600, 0):
        clock.step_to(seconds)
        ground.calm(5)
        ground.wait_alerts()


def _with_clock(ground: Ground) -> dict[str, str]:
    clock = ground.tools["clock"] = SteppedClock(ground.bench.directory)
    return clock.environment


def _with_cluster(ground: Ground) -> str:
    """Have two workers, each with task slots for the whole job."""
    stack = ground.servers.stack
    ground.at_end.callback(stop_cluster, stack)
    return start_cluster(stack, cores=slots_for(PARTITIONS), workers=2)


def _machine_lost(ground: Ground) -> None:
    """Of two workers, the one that does more is killed with its executors, and stays away."""
    supervisor = ground.servers.stack.supervisor
    workers = {name: psutil.Process(ground.servers.pid(name)) for name in worker_names(2)}
    executors = {
        name: [each for each in worker.children(recursive=True) if each.name() == "java"]
        for name, worker in workers.items()
    }
    assert all(executors.values()), f"each worker has an executor: {executors}"
    name = max(executors, key=lambda name: sum(sum(each.cpu_times()[:2]) for each in executors[name]))
    for process in (*executors[name], workers[name]):
        process.kill()
    supervisor.stop(name)


CASES = (
    _killed_at("before the commit", "with findings read and not committed", "before_commit:2=kill"),
    _killed_at("after the commit", "with alerts committed that nobody else knows of", "after_commit:2=kill"),
    _killed_at("before Redis", "with alerts committed and no scores", "before_scores:2=kill"),
    _killed_at("after Redis", "with scores written", "after_scores:2=kill"),
    _killed_at("before Delta", "with a commit to the lake planned", "archive_planned:1=kill"),
    _killed_at("in the Delta commit", "0.3 s into a write to the lake", "archive_planned:2=kill+0.3"),
    _killed_at("after Delta", "with the lake written and the ledger not", "archive_written:1=kill"),
    Case("kill: between generations", "kill -9 when a new rule set takes over", _new_generation,
         first={"SENTINEL_TEST_FAULTS": "generation_switched:2=kill"}),
    Case("kill: batch border", "kill -9 when a batch's offsets are written to the checkpoint, not yet committed",
         partial(_at_file, "offsets")),
    Case("kill: checkpoint commit", "kill -9 when a batch's commit is written to the checkpoint",
         partial(_at_file, "commits")),
    Case("kill: 20 random moments", "kill -9, 20 times, 0.5 to 20 s after the start", _at_random),
    Case("checkpoint lost", "kill -9 and the checkpoints deleted", checkpoint_lost),
    Case("checkpoint restored", "kill -9 and an old copy of the checkpoints put back", _checkpoint_restored),
    Case("two drivers", "a second driver beside the first, which then dies", _twin, modes=(REALTIME,)),
    Case("clock stepped", "the driver's wall clock an hour ahead, then an hour behind", _clock_stepped,
         environment=_with_clock),
    Case("worker machine lost", "of a cluster's two workers one is killed with its executor and stays away",
         _machine_lost, master=_with_cluster),
)  # fmt: skip
