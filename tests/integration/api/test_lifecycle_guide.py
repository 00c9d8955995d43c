"""docs/lifecycle.md: its commands run, its table is that of the code, its actions are those that are recorded."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta

import pytest
from httpx import Client

from sentinel.domain.rule import TRANSITIONS
from sentinel.settings import PROJECT_ROOT
from tests.integration.api.conftest import create_pipeline

pytestmark = pytest.mark.integration

GUIDE = (PROJECT_ROOT / "docs" / "lifecycle.md").read_text()


def test_the_commands_run(client: Client) -> None:
    pipeline = create_pipeline(client)["id"]
    ids = {"pipelines": pipeline, "rules": 0, "mutes": 0}
    blocks = re.findall(r"<!-- tested -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == len(re.findall("```", GUIDE)) / 2 == 5
    for command in [shlex.split(f"curl{part}") for block in blocks for part in block.split("curl")[1:]]:
        path = next(word for word in command if word.startswith("localhost:8000")).removeprefix("localhost:8000")
        path = re.sub(r"/(pipelines|rules|mutes)/1\b", lambda found: f"/{found[1]}/{ids[found[1]]}", path)
        path = path.replace("rule_id=1", f"rule_id={ids['rules']}").replace("object_id=1", f"object_id={ids['rules']}")
        content = command[command.index("-d") + 1] if "-d" in command else None
        if content is not None:
            content = content.replace("EXPIRES", (datetime.now(UTC) + timedelta(days=1)).isoformat())
            content = content.replace('"rule_id": 1', f'"rule_id": {ids["rules"]}')
        method = command[command.index("-X") + 1] if "-X" in command else "GET" if content is None else "POST"
        answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 201), (command, answer.text)
        created = re.search(r"/(rules|mutes)$", path)
        if answer.status_code == 201 and created:
            ids[created[1]] = answer.json()["id"]


def test_the_table_of_states_is_that_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", GUIDE, re.MULTILINE))
    assert rows.keys() == {state.value for state in TRANSITIONS}
    for state, following in TRANSITIONS.items():
        told = rows[state.value]
        assert told == (", ".join(following) if following else "nothing: it is kept for its alerts")


def test_every_action_is_named() -> None:
    sources = [*(PROJECT_ROOT / "src" / "sentinel" / "catalog").glob("*.py")]
    text = "".join(source.read_text() for source in sources)
    recorded = {f"{kind}.{verb}" for kind, verb in re.findall(r'auditor\.(rule|scorecard|pipeline)\(\s*"(\w+)"', text)}
    recorded |= set(re.findall(r'record\(\s*"(\w+\.\w+)"', text))
    recorded |= {f"list.{cause}" for cause in re.findall(r'cause="(\w+)", comment=comment\)', text)}
    kinds = "rule|test|mute|scorecard|pipeline|schema|list|notification_policy|silence|delivery"
    routing = (PROJECT_ROOT / "docs" / "routing.md").read_text()
    assert recorded == set(re.findall(rf"`((?:{kinds})\.\w+)`", GUIDE + routing))
