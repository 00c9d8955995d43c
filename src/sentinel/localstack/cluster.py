"""A standalone Spark master and one worker, for trying a cluster's ways on one machine."""

from __future__ import annotations

from sentinel.localstack.java import find_java
from sentinel.localstack.jobs import spark_environment
from sentinel.localstack.paths import package_dir
from sentinel.localstack.ports import choose_port, is_free
from sentinel.localstack.program import Program
from sentinel.localstack.stack import Stack
from sentinel.localstack.supervision import wait_until

MASTER, WORKER = "spark-master", "spark-worker"
_PORTS: dict[str, int | None] = {
    "spark-master": 7077,
    "spark-master-ui": 8080,
    "spark-worker": None,
    "spark-worker-ui": 8081,
}
_READY_SECONDS = 40.0


def start_cluster(stack: Stack, *, cores: int = 8, memory: str = "1g") -> str:
    """Have a master and a worker running; return the master's URL, for `submit --master`.

    Args:
        cores: Task slots that the worker offers; they may exceed the machine's cores.
        memory: What the worker's executors may take together.
    """
    running = {name for name, state in stack.supervisor.states().items() if state.pid}
    with stack.locked():
        if not {MASTER, WORKER} & running:
            _choose_ports(stack)
        host, port = "127.0.0.1", stack.state.ports[MASTER]
        url = f"spark://{host}:{port}"
        environment = {
            **spark_environment(stack.settings, find_java(stack.paths.home)),
            "SPARK_DAEMON_MEMORY": "192m",
            "SPARK_WORKER_DIR": str(stack.paths.home / "spark-work"),
            "SPARK_NO_DAEMONIZE": "1",
        }
        spark_class = str(package_dir("pyspark", "Spark") / "bin" / "spark-class")
        listen = ("--host", host, "--port")
        master = (
            *("org.apache.spark.deploy.master.Master", *listen, str(port)),
            *("--webui-port", str(stack.state.ports["spark-master-ui"])),
        )
        worker = (
            *("org.apache.spark.deploy.worker.Worker", *listen, str(stack.state.ports[WORKER])),
            *("--webui-port", str(stack.state.ports["spark-worker-ui"])),
            *("--cores", str(cores), "--memory", memory, url),
        )
        for name, arguments in ((MASTER, master), (WORKER, worker)):
            if name not in running:
                program = Program(name, (spark_class, *arguments), stack.paths.home, environment, start_seconds=2)
                program.write(stack.paths)
                stack.supervisor.start(name)
            _wait(stack, name)
    return url


def _choose_ports(stack: Stack) -> None:
    for name, known in _PORTS.items():
        taken = frozenset(port for other, port in stack.state.ports.items() if other != name)
        preferred = known if stack.well_known_ports else None
        stack.state.ports[name] = choose_port(stack.state.ports.get(name), preferred, taken)
    stack.save()


def _wait(stack: Stack, name: str) -> None:
    wait_until(
        lambda: "nothing listens yet" if is_free(stack.state.ports[name]) else None,
        _READY_SECONDS,
        lambda: stack.supervisor.has_failed(name),
        lambda reason: stack.supervisor.complaint(name, name, reason),
    )
