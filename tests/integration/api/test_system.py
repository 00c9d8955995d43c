"""The installation itself: processes for everybody, settings and logs for the operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client
from pydantic import SecretStr

from config_api.app import create_app
from sentinel.client import Client as ApiClient
from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.testing.http import serve

pytestmark = pytest.mark.integration

PATHS = ["/api/system", "/api/system/settings", "/api/system/logs", "/api/system/logs/api"]
OPERATORS = PATHS[1:]
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with logs, and a worker that is not there."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "api.log").write_text(
        "".join(f"line {number}\n" for number in range(500)) + f"password={SECRET}\nmoved {SECRET}\n"
    )
    (tmp_path / "secret.log").write_text("not yours")
    programs = tmp_path / "run" / "programs"
    programs.mkdir(parents=True)
    (programs / "worker.json").write_text('{"telemetry": "127.0.0.1:1", "environment": {"X": "y"}}')
    (programs / "job-7.json").write_text('{"telemetry": "127.0.0.1:1"}')
    (programs / "rule-worker.json").write_text("damaged {")
    return tmp_path


@pytest.fixture
def operator(settings: Settings, home: Path, key_of: Callable[..., str]) -> Iterator[Client]:
    """The operator of an API with that home."""
    told = settings.telemetry.model_copy(update={"heartbeat_url": SecretStr(SECRET)})
    closed = settings.api.model_copy(update={"open": False})
    with serve(create_app(settings.model_copy(update={"api": closed, "home": home, "telemetry": told}))) as url:
        headers = {"Authorization": f"Bearer {key_of(settings.tenant)}"}
        with Client(base_url=url, headers=headers, timeout=30) as caller:
            yield caller


class TestAccess:
    @pytest.mark.parametrize("path", PATHS)
    def test_anonymous_gets_401(self, anonymous: Client, path: str) -> None:
        assert anonymous.get(path).status_code == 401

    @pytest.mark.parametrize("path", OPERATORS)
    def test_an_admin_of_another_tenant_is_no_operator(self, client: Client, path: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 403
        assert "SENTINEL_TENANT" in answer.json()["detail"]

    @pytest.mark.parametrize("path", OPERATORS)
    @pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
    def test_a_key_without_the_scope_admin_is_refused(
        self, client_of: Callable[..., Client], settings: Settings, path: str, scope: Scope
    ) -> None:
        assert client_of(settings.tenant, scope).get(path).status_code == 403

    def test_another_tenants_jobs_are_not_seen(self, stranger: Client, pipeline: dict[str, Any]) -> None:
        assert pipeline["id"] not in [job["pipeline_id"] for job in stranger.get("/api/system").json()["jobs"]]

    def test_a_tenant_learns_no_causes_but_those_that_anybody_may_ask(self, client: Client) -> None:
        found = client.get("/api/system").json()
        assert found["is_operator"] is False
        assert found["processes"][0]["name"] == "api"
        assert found["processes"][0]["causes"] == {}
        assert [each["causes"] for each in found["processes"][1:]] == [None] * (len(found["processes"]) - 1)
        assert not [each for each in found["processes"] if each["name"].startswith("job")]


class TestSystem:
    def test_processes_that_do_not_answer_are_away(self, operator: Client) -> None:
        found = operator.get("/api/system").json()
        assert found["is_operator"] is True
        assert {each["name"]: each["status"] for each in found["processes"]} == {
            "api": "ok", "job-7": "away", "worker": "away",
        }  # fmt: skip
        assert "127.0.0.1:1" in found["processes"][1]["causes"]["answers"]

    def test_jobs_of_the_tenant(self, client: Client, pipeline: dict[str, Any]) -> None:
        (job,) = client.get("/api/system").json()["jobs"]
        assert job == {
            "pipeline_id": pipeline["id"], "name": pipeline["name"], "status": "active", "is_running": False,
            "phase": "", "lag": None, "heartbeat_at": None,
        }  # fmt: skip

    def test_the_client(self, api: ApiClient) -> None:
        assert api.system().processes[0].name == "api"


class TestSettings:
    def test_no_secret_is_in_them(self, operator: Client, settings: Settings) -> None:
        answer = operator.get("/api/system/settings")
        assert answer.status_code == 200
        found = {each["name"]: each for each in answer.json()}
        assert found["SENTINEL_TELEMETRY__HEARTBEAT_URL"]["value"] == "(secret, set)"
        assert found["SENTINEL_POSTGRES__HOST"]["value"] == settings.postgres.host
        assert found["SENTINEL_API__OPEN"] == {"name": "SENTINEL_API__OPEN", "value": "False", "is_default": False}
        assert [secret for secret in {SECRET, *settings.secrets} if len(secret) > 7 and secret in answer.text] == []


class TestLogs:
    def test_the_end_of_a_log_without_secrets(self, operator: Client) -> None:
        assert operator.get("/api/system/logs").json() == ["api"]
        lines = operator.get("/api/system/logs/api", params={"limit": 3}).json()["lines"]
        assert lines == ["line 499", "password=***", "moved ***"]

    @pytest.mark.parametrize("name", ["nothing", "secret"])
    def test_a_log_that_is_not_there(self, operator: Client, name: str) -> None:
        assert operator.get(f"/api/system/logs/{name}").status_code == 404

    @pytest.mark.parametrize("name", ["..%2Fsecret", "%2E%2E", "api.log", "API", "a" * 62, "api%00", "api%0A"])
    def test_what_is_no_name_is_refused(self, operator: Client, name: str) -> None:
        assert operator.get(f"/api/system/logs/{name}").status_code in {404, 422}

    @pytest.mark.parametrize("limit", ["0", "1001", "x"])
    def test_a_wrong_limit(self, operator: Client, limit: str) -> None:
        assert operator.get("/api/system/logs/api", params={"limit": limit}).status_code == 422
