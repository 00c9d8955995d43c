"""A standalone Spark master and its workers, for trying a cluster's ways on one machine."""

from __future__ import annotations

from sentinel.localstack.java import find_java
from sentinel.localstack.jobs import spark_environment
from sentinel.localstack.paths import package_dir
from sentinel.localstack.ports import choose_port, is_free
from sentinel.localstack.program import Program
from sentinel.localstack.stack import Stack
from sentinel.localstack.supervision import wait_until

MASTER, WORKER = "spark-master", "spark-worker"
_KNOWN_PORTS = {MASTER: 7077, f"{MASTER}-ui": 8080, f"{WORKER}-ui": 8081}
_READY_SECONDS = 40.0


def start_cluster(stack: Stack, *, cores: int = 8, memory: str = "1g", workers: int = 1) -> str:
    """Have a master and workers running; return the master's URL, for `submit --master`.

    Args:
        cores: Task slots that each worker offers; they may exceed the machine's cores.
        memory: What the executors of a worker may take together.
    """
    running = _running(stack)
    names = worker_names(workers)
    with stack.locked():
        if not {MASTER, *names} & running:
            _choose_ports(stack, (MASTER, *names))
        host, port = "127.0.0.1", stack.state.ports[MASTER]
        url = f"spark://{host}:{port}"
        environment = {
            **spark_environment(stack.settings, find_java(stack.paths.home)),
            "SPARK_DAEMON_MEMORY": "192m",
            "SPARK_WORKER_DIR": str(stack.paths.home / "spark-work"),
            "SPARK_NO_DAEMONIZE": "1",
        }
        spark_class = str(package_dir("pyspark", "Spark") / "bin" / "spark-class")
        for name in (MASTER, *names):
            if name not in running:
                what = "master.Master" if name == MASTER else "worker.Worker"
                arguments = (
                    *(f"org.apache.spark.deploy.{what}", "--host", host, "--port", str(stack.state.ports[name])),
                    *("--webui-port", str(stack.state.ports[f"{name}-ui"])),
                    *(() if name == MASTER else ("--cores", str(cores), "--memory", memory, url)),
                )
                program = Program(name, (spark_class, *arguments), stack.paths.home, environment, start_seconds=2)
                program.write(stack.paths)
                stack.supervisor.start(name)
            _wait(stack, name)
    return url


def stop_cluster(stack: Stack) -> None:
    """Stop the workers and the master, and drop them."""
    for name in sorted(_running(stack), reverse=True):
        if name == MASTER or name.startswith(WORKER):
            stack.supervisor.forget(name)


def worker_names(count: int) -> tuple[str, ...]:
    """Return the names of the programs that are workers."""
    return (WORKER, *(f"{WORKER}-{number}" for number in range(2, count + 1)))


def _running(stack: Stack) -> set[str]:
    return {name for name, state in stack.supervisor.states().items() if state.pid}


def _choose_ports(stack: Stack, programs: tuple[str, ...]) -> None:
    for name in (each for program in programs for each in (program, f"{program}-ui")):
        taken = frozenset(port for other, port in stack.state.ports.items() if other != name)
        preferred = _KNOWN_PORTS.get(name) if stack.well_known_ports else None
        stack.state.ports[name] = choose_port(stack.state.ports.get(name), preferred, taken)
    stack.save()


def _wait(stack: Stack, name: str) -> None:
    wait_until(
        lambda: "nothing listens yet" if is_free(stack.state.ports[name]) else None,
        _READY_SECONDS,
        lambda: stack.supervisor.has_failed(name),
        lambda reason: stack.supervisor.complaint(name, name, reason),
    )
