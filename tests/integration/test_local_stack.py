"""The local stack as a person meets it: up, killed, up again, moved, interrupted, down."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from sentinel.errors import ConfigurationError, NotFoundError, StoreUnavailableError
from sentinel.localstack.ports import free_port, is_free
from sentinel.localstack.progress import silent_report
from sentinel.localstack.s3_client import s3_client
from sentinel.localstack.servers import SERVERS
from sentinel.localstack.services import SERVICES, start_service
from sentinel.localstack.stack import Stack
from sentinel.localstack.status import stack_status
from sentinel.settings import PROJECT_ROOT, ApiSettings, DashboardSettings, Settings
from sentinel.testing.servers import ServerSet, own_environment, start_servers

pytestmark = pytest.mark.integration


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextlib.contextmanager
def listener() -> Iterator[int]:
    """Another program's port."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


class Postgres:
    """Keeps a row."""

    def keep(self, settings: Settings, word: str) -> None:
        with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS public.kept (word text)")
            connection.execute("INSERT INTO public.kept VALUES (%s)", (word,))

    def kept(self, settings: Settings, word: str) -> bool:
        with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
            return connection.execute("SELECT 1 FROM public.kept WHERE word = %s", (word,)).fetchone() is not None


class Redis:
    """Keeps a key. It is on disk within a second, which is what `everysec` promises."""

    def client(self, settings: Settings) -> redis.Redis:
        group = settings.redis
        return redis.Redis(host=group.host, port=group.port, password=group.password.get_secret_value())

    def keep(self, settings: Settings, word: str) -> None:
        with self.client(settings) as client:
            client.set(word, "1")
            assert client.execute_command("WAIT", 0, 0) == 0
            wait_for(lambda: client.info("persistence")["aof_buffer_length"] == 0)

    def kept(self, settings: Settings, word: str) -> bool:
        with self.client(settings) as client:
            return client.get(word) == b"1"


class Kafka:
    """Keeps a record, four megabytes long."""

    def keep(self, settings: Settings, word: str) -> None:
        address = settings.kafka.bootstrap_servers
        admin = AdminClient({"bootstrap.servers": address})
        (created,) = admin.create_topics([NewTopic(word, 1, 1)]).values()
        created.result(30)
        producer = Producer({"bootstrap.servers": address, "message.max.bytes": 5_000_000})
        producer.produce(word, b"x" * 4_000_000)
        assert producer.flush(30) == 0

    def kept(self, settings: Settings, word: str) -> bool:
        consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": word})
        try:
            consumer.assign([TopicPartition(word, 0, 0)])
            record = consumer.poll(30)
            return record is not None and record.error() is None and len(record.value() or b"") == 4_000_000
        finally:
            consumer.close()


class S3:
    """Keeps an object in the lake's bucket."""

    def keep(self, settings: Settings, word: str) -> None:
        s3_client(settings.lake).put_object(Bucket="sentinel", Key=word, Body=b"kept")

    def kept(self, settings: Settings, word: str) -> bool:
        return s3_client(settings.lake).get_object(Bucket="sentinel", Key=word)["Body"].read() == b"kept"


STORES = {"postgres": Postgres(), "redis": Redis(), "kafka": Kafka(), "s3": S3()}


class TestServers:
    @pytest.mark.parametrize("name", STORES)
    def test_a_killed_server_comes_back_by_itself_with_its_data(self, servers: ServerSet, name: str) -> None:
        word = f"w{uuid.uuid4().hex}"
        STORES[name].keep(servers.settings, word)
        pid = servers.kill(name)
        wait_for(lambda: servers.pid(name) not in {0, pid})
        servers.wait(name)
        assert STORES[name].kept(servers.settings, word)

    def test_a_stopped_server_stays_stopped_until_it_is_started(self, servers: ServerSet) -> None:
        servers.stop("redis")
        assert servers.pid("redis") == 0
        servers.start("redis")
        assert servers.pid("redis") != 0

    def test_a_second_up_changes_nothing(self, servers: ServerSet) -> None:
        def picture() -> tuple[object, ...]:
            pids = [servers.pid(name) for name in SERVERS]
            return pids, servers.stack.supervisor.pid, servers.stack.paths.stack_env.read_text()

        before = picture()
        with own_environment(servers.settings.home):
            servers.stack.up()
        assert picture() == before

    def test_every_server_listens_on_the_loopback_interface_only(self, servers: ServerSet) -> None:
        for name in SERVERS:
            listening = {
                connection.laddr.ip
                for connection in psutil.Process(servers.pid(name)).net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            }
            assert listening, name
            assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}, name

    def test_postgres_has_two_plain_roles_and_records_commit_times(self, servers: ServerSet) -> None:
        for role in ("owner", "app"):
            with psycopg.connect(servers.settings.postgres.conninfo(role)) as connection:  # type: ignore[arg-type]
                row = connection.execute(
                    "SELECT rolsuper, rolbypassrls, rolcreaterole, current_setting('track_commit_timestamp') "
                    "FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
            assert row == (False, False, False, "on")

    @pytest.mark.parametrize("role", ["postgres", "sentinel_owner", "sentinel_app"])
    def test_no_role_gets_in_with_another_password(self, servers: ServerSet, role: str) -> None:
        wrong = servers.settings.postgres.model_copy(update={"app_user": role})
        with (
            pytest.raises(psycopg.OperationalError, match="password"),
            psycopg.connect(wrong.model_copy(update={"app_password": servers.settings.redis.password}).conninfo("app")),
        ):
            pass

    def test_status_adds_up_memory_and_data(self, servers: ServerSet) -> None:
        # One that was killed a moment ago answers already and still counts as starting.
        wait_for(lambda: {servers.stack.supervisor.states()[name].state for name in SERVERS} == {"running"})
        found = {program.name: program for program in stack_status(servers.settings)}
        for name in SERVERS:
            assert found[name].state == "running"
            assert found[name].pid == servers.pid(name)
            assert found[name].address.startswith("127.0.0.1:")
            assert found[name].data_bytes is not None
        assert found["postgres"].data_bytes > 10_000_000  # type: ignore[operator]
        assert 0 < sum(program.rss_bytes for program in found.values()) < 1.5 * 1024**3

    def test_an_unknown_server_is_named(self, servers: ServerSet) -> None:
        with pytest.raises(NotFoundError, match="'mysql'; there are kafka"):
            servers.stack.up(["mysql"])


class TestHomes:
    def test_blanks_signs_and_depth_of_a_path_do_not_matter(self, tmp_path: Path) -> None:
        home = tmp_path / "a home; with #all 100% ü 'of' it" / ("deep" * 20) / ("deeper" * 10)
        with start_servers(home) as running:
            for name, store in STORES.items():
                store.keep(running.settings, f"w-{name}")
                assert store.kept(running.settings, f"w-{name}")

    def test_two_homes_run_side_by_side_and_stop_apart(self, tmp_path: Path) -> None:
        with start_servers(tmp_path / "a", ["redis"]) as first:
            with start_servers(tmp_path / "b", ["redis"]) as second:
                assert first.settings.redis.port != second.settings.redis.port
                STORES["redis"].keep(first.settings, "mine")
            assert second.stack.supervisor.pid is None
            assert STORES["redis"].kept(first.settings, "mine")

    def test_data_survives_down_and_up_on_other_ports(self, tmp_path: Path) -> None:
        with start_servers(tmp_path) as running:
            for name, store in STORES.items():
                store.keep(running.settings, f"w-{name}")
        before = dict(running.stack.state.ports)
        with contextlib.ExitStack() as others:
            for port in before.values():
                other = others.enter_context(socket.socket())
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                other.bind(("127.0.0.1", port))
                other.listen()
            with start_servers(tmp_path) as again:
                assert not set(before.values()) & set(again.stack.state.ports.values())
                for name, store in STORES.items():
                    assert store.kept(again.settings, f"w-{name}"), name

    def test_a_server_elsewhere_is_not_started(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        said: list[str] = []
        with own_environment(tmp_path):
            monkeypatch.setenv("SENTINEL_REDIS__HOST", "redis.example.org")
            stack = Stack.open(Settings.load(tmp_path), report=said.append, well_known_ports=False)
            stack.up(["redis"], migrate=False)
            try:
                assert stack.supervisor.states() == {}
                assert said == ["Redis: not started, since SENTINEL_REDIS__HOST is set (redis.example.org)"]
            finally:
                stack.down()
            monkeypatch.delenv("SENTINEL_REDIS__HOST")


class TestPorts:
    def test_a_taken_port_moves_is_told_and_is_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        said: list[str] = []
        with listener() as taken, own_environment(tmp_path):
            monkeypatch.setitem(SERVERS["redis"].ports, "redis", taken)
            stack = Stack.open(Settings.load(tmp_path), report=said.append)
            try:
                stack.up(["redis"], migrate=False)
                moved = stack.settings.redis.port
                assert moved != taken
                assert f"Redis: port {taken} is taken, using {moved}" in said
                assert next(program.address for program in stack_status(stack.settings)) == f"127.0.0.1:{moved}"
                stack.down()
                stack.up(["redis"], migrate=False)
                assert stack.settings.redis.port == moved
            finally:
                stack.down()

    def test_a_port_that_the_environment_names_does_not_move(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with listener() as taken, own_environment(tmp_path):
            monkeypatch.setenv("SENTINEL_REDIS__PORT", str(taken))
            stack = Stack.open(Settings.load(tmp_path), report=silent_report)
            try:
                with pytest.raises(
                    ConfigurationError, match=f"port {taken}, which SENTINEL_REDIS__PORT names .* taken"
                ):
                    stack.up(["redis"], migrate=False)
                wished = free_port()
                monkeypatch.setenv("SENTINEL_REDIS__PORT", str(wished))
                monkeypatch.setenv("SENTINEL_REDIS__PASSWORD", "of my own")
                stack.up(["redis"], migrate=False)
                assert (stack.settings.redis.port, stack.state.ports["redis"]) == (wished, wished)
            finally:
                stack.down()
                monkeypatch.undo()

    @pytest.mark.parametrize(
        ("name", "setting"), [("api", "SENTINEL_API__PORT"), ("dashboard", "SENTINEL_DASHBOARD__PORT")]
    )
    def test_a_taken_port_of_api_or_dashboard_is_an_error_that_names_the_setting(
        self, tmp_path: Path, name: str, setting: str
    ) -> None:
        with listener() as taken, own_environment(tmp_path):
            settings = Settings.load(tmp_path).model_copy(
                update={"api": ApiSettings(port=taken), "dashboard": DashboardSettings(port=taken)}
            )
            stack = Stack.open(settings)
            try:
                with pytest.raises(ConfigurationError, match=f"port {taken} on 127.0.0.1 is taken .*{setting}"):
                    start_service(SERVICES[name], settings, stack.supervisor, stack.paths)
            finally:
                stack.down()


class TestServices:
    @pytest.mark.parametrize("name", ["api", "dashboard"])
    def test_it_answers_on_its_port_comes_back_when_killed_and_stops(self, servers: ServerSet, name: str) -> None:
        port, stack = free_port(), servers.stack
        with own_environment(servers.settings.home):
            os.environ["SENTINEL_API__PORT"] = os.environ["SENTINEL_DASHBOARD__PORT"] = str(port)
            settings = Settings.load(servers.settings.home)
            try:
                assert (
                    start_service(SERVICES[name], settings, stack.supervisor, stack.paths) == f"http://127.0.0.1:{port}"
                )
                status = {program.name: program for program in stack_status(settings)}[name]
                assert status.address == f"127.0.0.1:{port}"
                # It answers; that it runs is said once it has done so for a second.
                wait_for(lambda: stack.supervisor.states()[name].state == "running")
                pid = servers.kill(name)
                wait_for(lambda: servers.pid(name) not in {0, pid})
                start_service(SERVICES[name], settings, stack.supervisor, stack.paths)
            finally:
                stack.supervisor.forget(name)
        wait_for(lambda: is_free(port))

    def test_one_that_cannot_start_is_an_error_that_quotes_its_log(self, servers: ServerSet) -> None:
        stack = servers.stack
        with own_environment(servers.settings.home):
            os.environ |= {"SENTINEL_API__PORT": str(free_port()), "SENTINEL_API__POOL_SIZE": "many"}
            settings = servers.settings.model_copy(
                update={"api": ApiSettings(port=int(os.environ["SENTINEL_API__PORT"]))}
            )
            with pytest.raises(StoreUnavailableError, match=r"(?s)the configuration API does not answer.*pool_size"):
                start_service(SERVICES["api"], settings, stack.supervisor, stack.paths)
            assert servers.pid("api") == 0
            stack.supervisor.forget("api")


class TestEndings:
    """What is left when something ends that should not."""

    def test_the_servers_of_a_killed_test_run_stop(self, tmp_path: Path) -> None:
        code = (
            "import sys, time; from pathlib import Path; from sentinel.testing.servers import start_servers\n"
            "running = start_servers(Path(sys.argv[1]), ['redis', 'postgres'], migrate=False)\n"
            "print(running.stack.supervisor.pid, running.pid('redis'), running.pid('postgres'), flush=True)\n"
            "time.sleep(600)\n"
        )
        with run_python(code, str(tmp_path)) as process:
            assert process.stdout is not None
            pids = [int(pid) for pid in process.stdout.readline().split()]
            assert len(pids) == 3
            process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids))

    def test_up_after_the_supervisor_was_killed_restores_everything(self, tmp_path: Path) -> None:
        with start_servers(tmp_path, ["redis"]) as running:
            STORES["redis"].keep(running.settings, "mine")
            supervisor, server = running.stack.supervisor.pid, running.pid("redis")
            assert supervisor
            os.kill(supervisor, signal.SIGKILL)
            wait_for(lambda: not alive(server))
            with own_environment(tmp_path.resolve()):
                running.stack.up(["redis"], migrate=False, die_with_parent=True)
            assert running.stack.supervisor.pid not in {None, supervisor}
            assert STORES["redis"].kept(running.settings, "mine")

    @pytest.mark.parametrize("moment", ["run/programs", "data/postgres", "stack.env", "run/programs/postgres.json"])
    def test_up_can_be_interrupted_and_repeated(self, tmp_path: Path, moment: str) -> None:
        code = (
            "import sys; from pathlib import Path; from sentinel.settings import Settings\n"
            "from sentinel.localstack.stack import Stack\n"
            "Stack.open(Settings.load(Path(sys.argv[1])), well_known_ports=False).up(['redis', 'postgres'])\n"
        )
        with own_environment(tmp_path):
            stack = Stack.open(Settings.load(tmp_path), report=silent_report, well_known_ports=False)
            try:
                with run_python(code, str(tmp_path)) as process:
                    wait_for(lambda: (tmp_path / moment).exists() or process.poll() is not None)
                    process.send_signal(signal.SIGINT)
                stack.up(["redis", "postgres"])
                Postgres().keep(stack.settings, "after")
                assert Postgres().kept(stack.settings, "after")
            finally:
                stack.down()
        assert stack.supervisor.pid is None


@contextlib.contextmanager
def run_python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run code in a process of its own; killed at the end if it still runs."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
            process.wait(60)
        finally:
            process.kill()


def alive(pid: int) -> bool:
    """Return whether a process runs."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
