"""The verbs that look into the stores."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from sentinel.cli.app import main
from sentinel.testing.servers import ServerSet, own_environment

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _home(servers: ServerSet) -> Iterator[None]:
    with own_environment(servers.settings.home):
        yield


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["sentinel", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def topic(servers: ServerSet) -> str:
    name, address = f"t-{uuid.uuid4().hex[:8]}", servers.settings.kafka.bootstrap_servers
    admin = AdminClient({"bootstrap.servers": address})
    (created,) = admin.create_topics([NewTopic(name, 1, 1)]).values()
    created.result(30)
    producer = Producer({"bootstrap.servers": address})
    for value in (b'{"n": 1}', b"\xff broken", None, "später".encode()):
        producer.produce(name, value)
    assert producer.flush(30) == 0
    return name


class TestDbShell:
    def test_our_own_client_shows_rows_of_the_tenant(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "db-shell", "--own-client", "-c", "SELECT tenant_id FROM tenants") == 0
        said = capsys.readouterr().out
        assert "tenant_id" in said
        assert "default" in said
        assert "(1 rows)" in said

    def test_our_own_client_shows_what_the_server_refuses(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "db-shell", "--own-client", "-c", "SELECT nothing FROM nowhere") == 0
        assert 'relation "nowhere" does not exist' in capsys.readouterr().out

    def test_psql_gets_the_role_the_password_and_the_tenant_but_no_argument_that_holds_them(
        self, servers: ServerSet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[tuple[list[str], dict[str, str]]] = []
        monkeypatch.setattr("sentinel.cli.database.shutil.which", lambda _name: "/opt/psql")
        monkeypatch.setattr("sentinel.cli.database.os.execve", lambda _path, argv, env: called.append((argv, env)))
        run(monkeypatch, "db-shell", "-c", "SELECT 1")
        ((argv, environment),) = called
        assert argv == ["/opt/psql", "-c", "SELECT 1"]
        assert environment["PGUSER"] == "sentinel_owner"
        assert environment["PGPASSWORD"] == servers.settings.postgres.owner_password.get_secret_value()
        assert "app.tenant_id=default" in environment["PGOPTIONS"]


class TestKafkaConsume:
    def test_shows_partition_offset_and_value_whatever_it_is(
        self, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "kafka-consume", topic, "--from-beginning", "-n", "4") == 0
        assert capsys.readouterr().out == '0:0\t{"n": 1}\n0:1\t\\xff broken\n0:2\t<tombstone>\n0:3\tspäter\n'

    def test_values_only(self, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(monkeypatch, "kafka-consume", topic, "--from-beginning", "-n", "1", "--values-only") == 0
        assert capsys.readouterr().out == '{"n": 1}\n'

    def test_a_topic_that_is_not_there_is_not_created(
        self, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "kafka-consume", "nowhere") == 1
        said = capsys.readouterr().err
        assert said.startswith("error: there is no topic 'nowhere'; there are: ")
        assert topic in said


class TestJobs:
    def test_a_pipeline_that_does_not_exist_is_not_submitted(
        self, servers: ServerSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "submit", "987654") == 1
        assert capsys.readouterr().err == "error: tenant 'default' has no pipeline 987654\n"
        assert servers.pid("job-987654") == 0

    def test_without_a_job_there_is_no_spark_ui(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(monkeypatch, "spark-ui") == 1
        assert "no job runs; start one with `sentinel submit ID`" in capsys.readouterr().err
