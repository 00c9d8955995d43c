"""The guide to alerts: its commands run as they are printed, and its table is the one that decides."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
from httpx import Client

from config_api.app import create_app
from sentinel.domain.alert_state import MAX_BULK, MAX_NOTE_CHARACTERS, MAX_NOTES, NEXT, Disposition
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.docs.test_stripe_guide import decoded
from tests.integration.api.conftest import add_rule, create_pipeline
from tests.integration.api.findings import Findings

GUIDE = (PROJECT_ROOT / "docs" / "alerts.md").read_text()
COMMANDS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))


def test_the_table_is_the_one_that_decides() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\w, ]+) \|$", GUIDE, re.MULTILINE)
    assert {name: set(said.strip().split(", ")) for name, said in rows[1:]} == {
        status.value: {each.value for each in following} for status, following in NEXT.items()
    }


def test_dispositions_and_bounds_are_named() -> None:
    assert {each.value for each in Disposition} <= set(re.findall(r"`(\w+)`", GUIDE))
    assert f"{MAX_NOTE_CHARACTERS:,} characters, at most {MAX_NOTES} of" in GUIDE
    assert f"up to {MAX_BULK} `ids`" in GUIDE


@pytest.mark.integration
@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not there")
def test_the_commands_run(settings: Settings, database: Database, tenant: str) -> None:
    answers: dict[str, list[Any]] = {}
    with (
        serve(create_app(settings.model_copy(update={"tenant": tenant}))) as url,
        Client(base_url=url, timeout=30) as client,
    ):
        rule = add_rule(client, create_pipeline(client)["id"])
        findings = Findings(database, tenant)
        first, second, third = (findings.alert(rule, f"e{number}") for number in range(3))
        for name, text in COMMANDS.items():
            command = text.replace("localhost:8000", url).replace("[1, 2]", f"[{first}, {second}]")
            command = re.sub(r"/alerts/1\b", f"/alerts/{first}", command)
            command = re.sub(r"/rules/1\b", f"/rules/{rule['id']}", command)
            command = command.replace('"rule_id": 1', f'"rule_id": {rule["id"]}')
            done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True)
            answers[name] = [done.stdout] if name == "file" else decoded(done.stdout)
    taken, note, resolved, shown = answers["take"]
    assert (taken["status"], resolved["status"]) == ("acknowledged", "resolved")
    assert shown["notes"] == [note]
    assert [change["version"] for change in shown["changes"]] == [2, 1]
    by_ids, by_filter = answers["many"]
    assert (by_ids["changed"], by_ids["unchanged"]) == (1, 1)
    assert (by_filter["changed"], by_filter["next"], by_filter["dry_run"]) == (1, None, True)
    still_open, anns, false = answers["find"]
    assert [alert["id"] for alert in still_open] == [third]
    assert anns == []
    assert [alert["id"] for alert in false] == [second, first]
    divided, related = answers["divide"]
    assert (divided["total"], divided["status"]) == (
        1, [
            {"value": "resolved", "name": "", "pipeline_id": None, "count": 2},
            {"value": "open", "name": "", "pipeline_id": None, "count": 1},
        ],
    )  # fmt: skip
    assert related["before"] == []
    assert answers["file"][0].count("\n") == 4
    (quality,) = answers["quality"]
    assert (quality["total"]["false_positives"], quality["total"]["precision"]["value"]) == (2, 0.0)
