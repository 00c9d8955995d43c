"""How lake tables are cared for, through the API, the client and the command line."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from httpx import Client
from typer.testing import CliRunner

from sentinel.cli.app import app
from sentinel.client import Client as ApiClient
from sentinel.settings import LakeCareSettings, Settings
from sentinel.stores.lake.location import events_uri, storage_options
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.lake_turns import LakeTurns

pytestmark = pytest.mark.integration


def path(pipeline: dict[str, Any]) -> str:
    return f"/api/pipelines/{pipeline['id']}/lake/care"


@pytest.fixture
def sentinel(monkeypatch: pytest.MonkeyPatch, settings: Settings, tenant: str) -> Any:
    """Runs a command as the tenant, and returns its result."""
    eager = LakeCareSettings(min_files=2)
    own = settings.model_copy(update={"tenant": tenant, "lake_care": eager})
    monkeypatch.setattr(Settings, "load", classmethod(lambda cls, _home=None: own))
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture
def table(settings: Settings, database: Database, tenant: str, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A pipeline whose table has four files of a day that is over."""
    turns = LakeTurns(database, tenant, pipeline["id"], "archive", "archive/test")
    assert turns.take(60)
    turns.end()
    uri, options = events_uri(settings.lake, tenant, pipeline["id"]), storage_options(settings.lake)
    for number in range(4):
        rows = pa.table({"amount": [float(number)], "date": [date(2026, 1, 31)]})
        write_deltalake(uri, rows, mode="append", partition_by=["date"], storage_options=options)
    return pipeline


def test_anonymous_gets_401(anonymous: Client, pipeline: dict[str, Any]) -> None:
    assert anonymous.get(path(pipeline)).status_code == 401


def test_another_tenant_gets_404(stranger: Client, pipeline: dict[str, Any]) -> None:
    assert stranger.get(path(pipeline)).status_code == 404


def test_a_table_that_nobody_looked_at(client: Client, pipeline: dict[str, Any]) -> None:
    assert client.get(path(pipeline)).json() == {
        "pipeline_id": pipeline["id"], "looked_at": None, "next_at": None, "vacuumed_at": None, "failure_count": 0,
        "file_count": None, "size_bytes": None, "is_running": False, "runs": [],
    }  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "201", "x"])
def test_a_limit_that_is_none_is_refused(client: Client, pipeline: dict[str, Any], limit: str) -> None:
    assert client.get(path(pipeline), params={"limit": limit}).status_code == 422


def test_a_run_by_the_command_line_is_answered(api: ApiClient, table: dict[str, Any], sentinel: Any) -> None:
    shown = sentinel("lake", "care", "--pipeline", str(table["id"]), "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert api.lake_care(table["id"]).runs == []
    done = sentinel("lake", "care", "--now")
    assert done.exit_code == 0, done.output
    assert "done" in done.output
    found = api.lake_care(table["id"])
    assert (found.file_count, found.failure_count, len(found.runs)) == (1, 0, 1)
    assert (found.runs[0].cause, found.runs[0].requested_by, found.runs[0].state) == ("request", "cli", "done")
    assert found.vacuumed_at is not None
    listed = sentinel("lake", "care")
    assert table["name"] in listed.output
    assert "done" in listed.output


def test_the_command_line_refuses_what_cannot_be(sentinel: Any, pipeline: dict[str, Any]) -> None:
    assert "choose one" in str(sentinel("lake", "care", "--now", "--dry-run").exception)
    assert "has no pipeline 999999" in str(sentinel("lake", "care", "--pipeline", "999999").exception)
    nothing = sentinel("lake", "care", "--now", "--pipeline", str(pipeline["id"]))
    assert "nothing was written to it yet" in " ".join(nothing.output.split())
