"""docs/api.md: its commands run, its table names every endpoint, its queries answer."""

from __future__ import annotations

import re
import shlex

import psycopg
import pytest
from httpx import Client

from sentinel.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.integration

GUIDE = (PROJECT_ROOT / "docs" / "api.md").read_text()


def block(language: str) -> str:
    """Return the first code block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_commands_run(client: Client) -> None:
    commands = [shlex.split(f"curl{part}") for part in block("sh").split("curl")[1:]]
    assert len(commands) == 4
    created = {"id": 1}
    for command in commands:
        url = next(word for word in command if word.startswith("localhost:8000"))
        path = url.removeprefix("localhost:8000").replace("/pipelines/1/", f"/pipelines/{created['id']}/")
        if "-d" in command:
            content = command[command.index("-d") + 1]
            answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code == 201, answer.text
            created = answer.json() if path == "/api/pipelines" else created
        else:
            assert client.get(path).status_code == 200


def test_every_endpoint_is_named(anonymous: Client) -> None:
    description = anonymous.get("/openapi.json").json()
    named = re.sub(r"{[a-z_]+}", "{}", GUIDE)
    missing = [
        f"{method.upper()} {path}"
        for path, operations in description["paths"].items()
        for method in operations
        if f"{method.upper()} {re.sub(r'{[a-z_]+}', '{}', path)}" not in named and not path.endswith("/versions")
    ]
    assert missing == []


def test_every_problem_type_is_named() -> None:
    for slug in ("malformed", "invalid-rule", "too-broad", "breaking-change", "version-mismatch", "unavailable"):
        assert f"`{slug}`" in GUIDE


def test_the_queries_answer(settings: Settings) -> None:
    with psycopg.connect(settings.postgres.conninfo("app")) as connection:
        for statement in block("sql").split(";"):
            if statement.strip():
                connection.execute(statement)
