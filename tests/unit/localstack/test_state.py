"""Ports and credentials of a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.errors import ConfigurationError
from sentinel.localstack.paths import StackPaths, jars_root
from sentinel.localstack.state import StackState, write_private
from sentinel.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENTINEL_HOME", "SENTINEL_JARS_DIR", "SENTINEL_POSTGRES__PORT"):
        monkeypatch.delenv(name, raising=False)


def saved(home: Path) -> StackState:
    paths = StackPaths(home)
    paths.create()
    state = StackState.load(paths)
    state.ports |= {"postgres": 5433, "redis": 6380, "kafka": 9093, "s3": 9001}
    state.local = ["postgres", "redis", "kafka", "s3"]
    state.save(paths)
    return state


class TestStackState:
    def test_settings_read_what_was_saved(self, tmp_path: Path) -> None:
        state = saved(tmp_path)
        settings = Settings.load(tmp_path)
        assert settings.postgres.port == 5433
        assert settings.postgres.app_password.get_secret_value() == state.secrets["postgres_app"]
        assert settings.redis.password.get_secret_value() == state.secrets["redis"]
        assert settings.kafka.bootstrap_servers == "127.0.0.1:9093"
        assert settings.lake.endpoint == "http://127.0.0.1:9001"
        assert settings.lake.secret_key.get_secret_value() == state.secrets["s3_secret"]

    def test_the_environment_wins(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        saved(tmp_path)
        monkeypatch.setenv("SENTINEL_POSTGRES__PORT", "7777")
        assert Settings.load(tmp_path).postgres.port == 7777

    def test_only_the_owner_may_read_the_files(self, tmp_path: Path) -> None:
        saved(tmp_path)
        paths = StackPaths(tmp_path)
        assert {path.stat().st_mode & 0o777 for path in (paths.state_file, paths.stack_env)} == {0o600}

    def test_secrets_stay_the_same_once_saved(self, tmp_path: Path) -> None:
        assert saved(tmp_path).secrets == StackState.load(StackPaths(tmp_path)).secrets

    def test_every_stack_has_secrets_of_its_own(self, tmp_path: Path) -> None:
        first, second = saved(tmp_path / "a"), saved(tmp_path / "b")
        assert not set(first.secrets.values()) & set(second.secrets.values())
        assert len(set(first.secrets.values())) == len(first.secrets)

    def test_the_superuser_is_not_in_the_settings(self, tmp_path: Path) -> None:
        state = saved(tmp_path)
        assert state.secrets["postgres_superuser"] not in StackPaths(tmp_path).stack_env.read_text()

    def test_only_servers_of_the_stack_are_published(self, tmp_path: Path) -> None:
        state = StackState(ports={"redis": 1}, local=["redis"])
        state.secrets["redis"] = "x"
        assert set(state.environment()) == {
            "SENTINEL_REDIS__HOST",
            "SENTINEL_REDIS__PORT",
            "SENTINEL_REDIS__PASSWORD",
        }

    def test_a_damaged_file_is_not_overwritten(self, tmp_path: Path) -> None:
        saved(tmp_path)
        StackPaths(tmp_path).state_file.write_text("{")
        with pytest.raises(ConfigurationError, match=r"stack\.json is damaged .*sentinel clean"):
            StackState.load(StackPaths(tmp_path))


class TestPaths:
    def test_a_home_that_cannot_be_made_is_named_with_the_way_out(self, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.write_text("")
        with pytest.raises(ConfigurationError, match=r"cannot be written.*set SENTINEL_HOME"):
            StackPaths(blocked / "home").create()

    def test_jars_of_a_home_can_be_elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "jars").mkdir()
        assert jars_root(tmp_path) == tmp_path / "jars"
        monkeypatch.setenv("SENTINEL_JARS_DIR", str(tmp_path / "shared"))
        assert jars_root(tmp_path) == tmp_path / "shared"


def test_private_files_replace_what_was_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
