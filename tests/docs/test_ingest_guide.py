"""The guide to events by HTTP: its commands run."""

from __future__ import annotations

import re
import shlex

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.settings import PROJECT_ROOT, IngestSettings, Settings
from sentinel.testing.http import serve

pytestmark = pytest.mark.integration

GUIDE = (PROJECT_ROOT / "docs" / "ingest.md").read_text()
BLOCKS = re.findall(r"^<!-- tested -->\n```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def requests() -> list[tuple[str, str, dict[str, str], str | None]]:
    """Method, path, headers and body of each command, as curl would send them."""
    found = []
    for part in "\n".join(BLOCKS).split("curl ")[1:]:
        words = shlex.split(part)
        options: dict[str, list[str]] = {}
        path = ""
        while words:
            word = words.pop(0)
            if word in {"-d", "-H", "-X", "--data-binary"}:
                options.setdefault(word, []).append(words.pop(0))
            else:
                path = word.removeprefix("localhost:8000")
        body = next(iter(options.get("-d", []) + options.get("--data-binary", [])), None)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        headers |= dict(header.split(": ", 1) for header in options.get("-H", []))
        method = next(iter(options.get("-X", [])), "GET" if body is None else "POST")
        found.append((method, path, headers, body))
    return found


def test_there_is_no_command_that_is_not_tested() -> None:
    assert len(re.findall(r"^```", GUIDE, re.MULTILINE)) == 2 * len(BLOCKS)
    assert len(requests()) == 9


def test_every_setting_is_one_that_there_is() -> None:
    named = set(re.findall(r"SENTINEL_INGEST__(\w+)", GUIDE))
    assert len(named) == 7
    assert {name.lower() for name in named} <= IngestSettings.model_fields.keys()


def test_the_commands_run(settings: Settings, tenant: str) -> None:
    opened = settings.model_copy(update={"tenant": tenant})
    with serve(create_app(opened)) as url, Client(base_url=url, timeout=30) as caller:
        for number, (method, path, headers, body) in enumerate(requests()):
            if number == 1:
                (pipeline,) = caller.get("/api/pipelines").json()
                assert pipeline["name"] == "events"
                fields = [
                    field["name"] for field in caller.get(f"/api/pipelines/{pipeline['id']}/schema").json()["schema"]
                ]
                assert all(f"`{name}`" in GUIDE for name in fields)
            content = body
            if body == '{"pipeline_id": 1}':
                content = f'{{"pipeline_id": {pipeline["id"]}}}'
            answer = caller.request(method, path, headers=headers, content=content)
            assert answer.status_code == (202 if path == "/events" else 200), answer.text
            if path == "/events":
                assert answer.json()["rejected"] == answer.json()["duplicate"] == 0
