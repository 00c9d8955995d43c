"""Where a case happens: a pipeline under flow, a driver that is kept running, and the oracle that judges the end."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sentinel.domain.pipeline import DetectMode
from sentinel.testing.servers import ServerSet
from tests.chaos.flow import PARTITIONS, RULE, Flow, is_alert, is_broken, number_at
from tests.chaos.keeper import Keeper
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

RATE = 1000
CALM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Case:
    """Something that goes wrong.

    Attributes:
        happens: Does it, while events flow and the driver serves; returns when it is over, not when all has recovered.
        what: In words, for the table.
        rate: Events per second that flow meanwhile.
        first: Environment of the first driver: the faults that end it.
        environment: Environment of every driver, made from the ground (addresses are known then).
        master: Where every driver runs its tasks, made from the ground; empty: in itself.
    """

    name: str
    what: str
    happens: Callable[[Ground], None]
    rate: int = RATE
    modes: tuple[DetectMode, ...] = (DetectMode.REALTIME, DetectMode.MICROBATCH)
    first: Mapping[str, str] = field(default_factory=dict)
    environment: Callable[[Ground], Mapping[str, str]] = lambda _ground: {}
    master: Callable[[Ground], str] = lambda _ground: ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case; it was green, or there is no outcome.

    Attributes:
        sent: Records on the topic.
        alerts: Of them, each once.
        deaths: How often the driver ended.
        silence_seconds: The longest time between two commits of alerts while events flowed.
    """

    case: str
    mode: str
    sent: int
    alerts: int
    dead_letters: int
    deaths: int
    silence_seconds: float
    took_seconds: float


class Ground:
    """A pipeline, its flow and its driver, for one case."""

    def __init__(self, servers: ServerSet, tenant_id: str, directory: Path, case: Case, mode: DetectMode) -> None:
        self.case = case
        self.mode = mode
        self.bench = Workbench(servers, tenant_id, directory, as_shipped=True)
        self.servers = servers
        self.topic = self.bench.create_topic(PARTITIONS)
        self.pipeline_id = self.bench.create_pipeline(self.topic, RULE, mode=mode)
        self.skipped: set[int] = set()
        self.skipped_in_lake: set[int] = set()
        self.tools: dict[str, object] = {}
        self.at_end = ExitStack()
        self.flow = Flow(self.bench.settings.kafka.bootstrap_servers, self.topic, case.rate)
        self._faults = directory / "faults"
        self._faults.mkdir()
        environment = {"SENTINEL_TEST_FAULTS_ONCE": str(self._faults), **case.environment(self)}
        self.keeper = Keeper(self.bench, self.pipeline_id, environment, case.first, case.master(self))

    # -- what a case may do

    @property
    def checkpoints(self) -> Path:
        """Where the driver's queries keep their checkpoints."""
        return self.bench.directory / "checkpoints"

    def lose_checkpoints(self) -> None:
        """Delete them."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def calm(self, seconds: float = CALM_SECONDS) -> None:
        """Let events flow."""
        time.sleep(seconds)

    def wait_alerts(self, timeout: float = 120) -> None:
        """Wait until a new alert is committed: the pipeline works (again)."""
        before = self._newest()
        self.bench.wait_until("there are alerts again", lambda: self._newest() > before, timeout=timeout)

    def wait_archived(self, timeout: float = 240) -> None:
        """Wait until more is in the lake: the archive works (again)."""
        before = sum(self.bench.archived(self.pipeline_id).values())
        self.bench.wait_until(
            "the lake is written again",
            lambda: sum(self.bench.archived(self.pipeline_id).values()) > before,
            timeout=timeout,
        )

    def wait_death(self, count: int = 1, timeout: float = 120) -> None:
        """Wait until the driver has ended that often."""
        self.bench.wait_until(
            f"the driver ended {count} times", lambda: len(self.keeper.deaths) >= count, timeout=timeout
        )

    def kill(self) -> None:
        """Kill the driver, wait until it is noticed."""
        count = len(self.keeper.deaths) + 1
        self.keeper.kill()
        self.wait_death(count)

    def wait_fault(self, name: str, timeout: float = 240) -> None:
        """Wait until a planned fault has ended a driver."""
        acted = self._faults / name
        self.bench.wait_until(
            f"{name} ends a driver",
            lambda: acted.exists() and any(death >= acted.stat().st_mtime for death in self.keeper.deaths),
            timeout=timeout,
        )

    def pause_driver(self) -> None:
        """Have no driver."""
        self.keeper.pause()

    def resume_driver(self) -> None:
        """Have one again."""
        self.keeper.resume()

    def log(self) -> str:
        """Everything that the drivers wrote."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.bench.directory.glob("job-*.log")))

    def skip(self, partition: int, begin: int, end: int) -> None:
        """Expect nothing of these offsets: an operator gave them up."""
        self.skipped |= {number_at(partition, offset) for offset in range(begin, end)}

    def skip_in_lake(self, partition: int, begin: int, end: int) -> None:
        """Expect alerts of these offsets, and no rows in the lake: they were decided, and gone before its turn."""
        self.skipped_in_lake |= {number_at(partition, offset) for offset in range(begin, end)}

    def count_alerts(self) -> int:
        """Return how many there are."""
        return sum(self.bench.alerts_by_rule(self.pipeline_id).values())

    def _newest(self) -> int:
        (row,) = self.bench.query(
            "SELECT coalesce(max(id), 0) AS id FROM sentinel.alerts WHERE pipeline_id = %s", self.pipeline_id
        )
        return int(row["id"])

    # -- the oracle

    def judge(self, sent: int) -> tuple[int, int]:
        """Fail unless every alert and dead letter that is due is there once, and the lake has the rest."""
        there = set(range(sent)) - self.skipped
        alerts = sum(1 for number in there if is_alert(number))
        dead = sum(1 for number in there if is_broken(number))
        found = self.bench.alerts_by_rule(self.pipeline_id)
        assert found == {"large": alerts}, f"{found} alerts in place of {alerts}"
        report = assert_reconciled(self.bench, self.pipeline_id)
        assert report.dead_letters == dead, f"{report.dead_letters} dead letters in place of {dead}"
        rows = sum(1 for number in there - self.skipped_in_lake if not is_broken(number))
        assert report.lake_rows == rows, f"{report.lake_rows} rows in place of {rows}"
        return alerts, dead

    def silence(self, begin: float, end: float) -> float:
        """Return the longest time without a commit of alerts between two times, in seconds."""
        rows = self.bench.query(
            "SELECT DISTINCT extract(epoch FROM alert_timestamp)::float8 AS at FROM sentinel.alerts"
            " WHERE pipeline_id = %s ORDER BY at",
            self.pipeline_id,
        )
        inside = [begin, *(row["at"] for row in rows if begin < row["at"] < end), end]
        return max(later - earlier for earlier, later in pairwise(inside))

    def close(self) -> None:
        """End whatever still runs."""
        self.keeper.stop()
        self.at_end.close()
        self.bench.close()


@contextmanager
def opened(ground: Ground) -> Iterator[Ground]:
    """Close it in the end."""
    try:
        yield ground
    finally:
        ground.close()


def play(servers: ServerSet, tenant_id: str, directory: Path, case: Case, mode: DetectMode) -> Outcome:
    """Let a case happen and judge the end.

    Raises:
        AssertionError: Something is lost or doubled, or the pipeline did not recover.
    """
    began = time.monotonic()
    with opened(Ground(servers, tenant_id, directory, case, mode)) as ground:
        ground.keeper.start()
        ground.bench.wait_until(
            "the first driver serves",
            lambda: bool(ground.bench.generations(ground.pipeline_id, "active")) or bool(ground.keeper.deaths),
        )
        ground.flow.start()
        if not ground.keeper.is_doomed:
            ground.wait_alerts()
        flow_began = time.time()
        case.happens(ground)
        ground.wait_alerts(240)
        ground.calm()
        flow_ended = time.time()
        sent = ground.flow.stop()
        ground.bench.wait_settled(ground.pipeline_id, ground.topic)
        ground.keeper.stop()
        alerts, dead = ground.judge(sent)
        silence = ground.silence(flow_began, flow_ended)
        return Outcome(
            case.name, mode.value, sent, alerts, dead, len(ground.keeper.deaths), round(silence, 1),
            round(time.monotonic() - began, 1),
        )  # fmt: skip


def in_background(act: Callable[[], None]) -> threading.Thread:
    """Do something beside."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread
