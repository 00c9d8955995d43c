"""A submitted job under supervision: started, killed in every part, stopped gracefully. The script is a stand-in."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sentinel.localstack.cluster import start_cluster, stop_cluster
from sentinel.localstack.jobs import job_program
from sentinel.localstack.launch import marked_processes
from sentinel.testing.servers import ServerSet, own_environment, start_servers

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(600)]

# Tells who it is (itself, its JVM), and when asked to stop whether Spark still works then.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from pyspark.sql import SparkSession

out = Path(sys.argv[sys.argv.index("--tenant") + 1])
spark = SparkSession.builder.config("spark.ui.enabled", "false").getOrCreate()

def write(name, text):
    (out / (name + ".new")).write_text(text)
    (out / (name + ".new")).rename(out / name)

def stop(number, frame):
    write("stopped", str(spark.range(7).rdd.map(lambda row: row.id).sum()))
    spark.stop()
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
write("running", f"{os.getpid()} {os.getppid()} {spark.sparkContext.master}")
while True:
    time.sleep(0.1)
"""


@dataclass
class StandIn:
    """A job whose script is the one above."""

    servers: ServerSet
    directory: Path
    name: str = "job-1"

    def start(self, master: str) -> None:
        script = self.directory / "stand in.py"
        script.write_text(SCRIPT)
        settings = self.servers.settings.model_copy(update={"tenant": str(self.directory)})
        job_program([1], settings, master=master, script=script).write(self.servers.stack.paths)
        self.servers.stack.supervisor.start(self.name)

    def running(self, after: str = "") -> str:
        """Wait for another run than `after`; return its Python's pid, its JVM's pid and its master."""
        return self.read("running", unlike=after)

    def read(self, file: str, unlike: str = "") -> str:
        path = self.directory / file
        deadline = time.monotonic() + 180
        while not path.exists() or path.read_text() == unlike:
            assert time.monotonic() < deadline, (self.servers.stack.paths.logs / f"{self.name}.log").read_text()[-3000:]
            time.sleep(0.05)
        return path.read_text()

    def processes(self) -> list[int]:
        return marked_processes(f"{self.servers.stack.paths.home}|{self.name}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSet]:
    with start_servers(tmp_path_factory.mktemp("a home with blanks"), ["redis"], migrate=False) as running:
        yield running


@pytest.fixture
def job(home: ServerSet, tmp_path: Path) -> Iterator[StandIn]:
    with own_environment(home.settings.home):
        stand_in = StandIn(home, tmp_path)
        yield stand_in
        home.stack.supervisor.forget(stand_in.name)


def test_it_survives_the_end_of_each_of_its_parts_and_stops_gracefully(home: ServerSet, job: StandIn) -> None:
    job.start("local[1]")
    run = job.running()
    for part in ("python", "jvm", "runner"):
        python, jvm = map(int, run.split()[:2])
        runner = home.pid(job.name)
        before = set(job.processes())
        assert before >= {python, jvm, runner}, part
        os.kill({"python": python, "jvm": jvm, "runner": runner}[part], signal.SIGKILL)
        run = job.running(after=run)
        assert not [pid for pid in before if psutil.pid_exists(pid)], f"left over after the {part} was killed"
    home.stop(job.name)
    assert job.read("stopped") == "21"
    assert job.processes() == []
    assert home.stack.supervisor.states()[job.name].state == "stopped"


def test_it_runs_on_a_standalone_cluster(home: ServerSet, job: StandIn) -> None:
    master = start_cluster(home.stack, cores=2, memory="1g")
    job.start(master)
    assert job.running().split()[2] == master
    home.stop(job.name)
    assert job.read("stopped") == "21"
    stop_cluster(home.stack)
