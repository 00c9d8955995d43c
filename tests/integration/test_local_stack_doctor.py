"""What doctor finds on real servers, right and wrong."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sentinel.localstack.doctor import Finding, Severity, examine
from sentinel.localstack.doctor.lake import check_lake
from sentinel.localstack.doctor.stores import check_kafka, check_postgres, check_redis
from sentinel.localstack.s3_client import s3_client
from sentinel.settings import Settings
from sentinel.testing.servers import ServerSet

pytestmark = pytest.mark.integration


def changed(settings: Settings, group: str, **values: Any) -> Settings:
    """Return settings with another group."""
    return settings.model_copy(update={group: getattr(settings, group).model_copy(update=values)})


def only_error(findings: list[Finding]) -> Finding:
    """Return the one error; it says what to do."""
    (found,) = [finding for finding in findings if finding.severity is Severity.ERROR]
    assert found.advice
    return found


def test_all_is_well_with_a_running_stack(servers: ServerSet) -> None:
    stores = [
        finding for finding in examine(servers.settings) if finding.subject in {"PostgreSQL", "Kafka", "Redis", "lake"}
    ]
    assert [finding.severity for finding in stores] == [Severity.OK] * 5


def test_what_does_not_suit_says_what_to_do(servers: ServerSet) -> None:
    assert all(finding.advice for finding in examine(servers.settings) if finding.severity is not Severity.OK)


class TestLake:
    def test_leaves_nothing_behind(self, servers: ServerSet) -> None:
        before = s3_client(servers.settings.lake).list_objects_v2(Bucket="sentinel").get("KeyCount")
        (found,) = check_lake(servers.settings)
        assert found.text.startswith("put, conditional put, get and delete work in s3://sentinel/lake")
        assert s3_client(servers.settings.lake).list_objects_v2(Bucket="sentinel").get("KeyCount") == before

    def test_a_wrong_secret_names_the_settings_and_hides_the_secret(self, servers: ServerSet) -> None:
        wrong = changed(servers.settings, "lake", secret_key=SecretStr("not-the-secret"))
        found = only_error(list(check_lake(wrong)))
        assert "put failed: SignatureDoesNotMatch" in found.text
        assert "SENTINEL_LAKE__SECRET_KEY" in found.advice
        assert "not-the-secret" not in found.text + found.advice

    def test_an_unknown_access_key_names_the_settings(self, servers: ServerSet) -> None:
        found = only_error(list(check_lake(changed(servers.settings, "lake", access_key="nobody"))))
        assert "InvalidAccessKeyId" in found.text
        assert "SENTINEL_LAKE__ACCESS_KEY" in found.advice

    def test_a_missing_scheme_is_named_as_such(self, servers: ServerSet) -> None:
        wrong = changed(servers.settings, "lake", endpoint="account.r2.example.com")
        found = only_error(list(check_lake(wrong)))
        assert found.text == "the endpoint 'account.r2.example.com' lacks https://"
        assert found.advice == "set SENTINEL_LAKE__ENDPOINT=https://account.r2.example.com"

    def test_a_bucket_in_the_endpoint_is_moved_to_where_it_belongs(self, servers: ServerSet) -> None:
        wrong = changed(servers.settings, "lake", endpoint="https://account.r2.example.com/bucket")
        found = only_error(list(check_lake(wrong)))
        assert found.advice == (
            "set SENTINEL_LAKE__ENDPOINT=https://account.r2.example.com and SENTINEL_LAKE__URI=s3://bucket/lake"
        )

    def test_a_missing_bucket_is_named(self, servers: ServerSet) -> None:
        found = only_error(list(check_lake(changed(servers.settings, "lake", uri="s3://elsewhere/lake"))))
        assert "NoSuchBucket" in found.text
        assert "'elsewhere'" in found.advice

    def test_an_address_where_nothing_answers(self, servers: ServerSet) -> None:
        found = only_error(list(check_lake(changed(servers.settings, "lake", endpoint="http://127.0.0.1:9"))))
        assert "nothing answers there" in found.text

    def test_a_directory_that_can_be_written(self, servers: ServerSet, tmp_path: Path) -> None:
        (found,) = check_lake(changed(servers.settings, "lake", uri=(tmp_path / "my lake").as_uri()))
        assert (found.severity, found.text) == (Severity.OK, f"{tmp_path / 'my lake'} can be written")

    def test_a_store_of_another_kind_is_refused(self, servers: ServerSet) -> None:
        found = only_error(list(check_lake(changed(servers.settings, "lake", uri="gs://bucket/lake"))))
        assert "s3://bucket/prefix" in found.advice


class TestStores:
    def test_a_wrong_password_of_postgres(self, servers: ServerSet) -> None:
        wrong = changed(servers.settings, "postgres", app_password=SecretStr("wrong"))
        found = only_error(list(check_postgres(wrong)))
        assert 'password authentication failed for user "sentinel_app"' in found.text
        assert "SENTINEL_POSTGRES__APP_PASSWORD" in found.advice

    def test_a_superuser_as_application_role(self, servers: ServerSet) -> None:
        secret = servers.stack.state.secrets["postgres_superuser"]
        wrong = changed(servers.settings, "postgres", app_user="postgres", app_password=SecretStr(secret))
        assert "tenants would not be isolated" in only_error(list(check_postgres(wrong))).text

    def test_a_postgres_that_does_not_answer(self, servers: ServerSet) -> None:
        found = [*check_postgres(changed(servers.settings, "postgres", port=9))]
        assert {finding.severity for finding in found} == {Severity.ERROR}
        assert "SENTINEL_POSTGRES__PORT" in found[0].advice

    def test_a_wrong_password_of_redis(self, servers: ServerSet) -> None:
        wrong = changed(servers.settings, "redis", password=SecretStr("wrong"))
        assert "SENTINEL_REDIS__PASSWORD" in only_error(list(check_redis(wrong))).advice

    def test_a_broker_that_does_not_answer(self, servers: ServerSet) -> None:
        wrong = changed(servers.settings, "kafka", bootstrap_servers="127.0.0.1:9")
        assert "SENTINEL_KAFKA__BOOTSTRAP_SERVERS" in only_error(list(check_kafka(wrong))).advice

    def test_a_stopped_server_is_to_be_started(self, servers: ServerSet) -> None:
        servers.stop("redis")
        try:
            (found,) = check_redis(servers.settings)
        finally:
            servers.start("redis")
        assert (found.severity, found.advice) == (Severity.WARNING, "start it with `sentinel up`")


def test_a_taken_port_of_the_api_is_an_error_that_names_the_setting(servers: ServerSet) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        findings = list(examine(changed(servers.settings, "api", port=port)))
    (found,) = [finding for finding in findings if finding.subject == "port of the API"]
    assert (found.severity, found.text) == (Severity.ERROR, f"{port} is taken by another program")
    assert "SENTINEL_API__PORT" in found.advice
