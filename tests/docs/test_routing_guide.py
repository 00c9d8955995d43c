"""The guide to routing: its commands run as they are printed, and it names whatever there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from config_api.app import create_app
from sentinel.clock import utc_now
from sentinel.domain.label_matcher import FIXED_LABELS
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_policy import (
    Defaults,
    EscalationStep,
    Inhibition,
    NotificationPolicy,
    QuietHoursText,
    QuietWindowText,
    Summary,
)
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.docs.test_stripe_guide import decoded
from tests.support.notifications import Desk
from tests.support.receivers import http_receiver

GUIDE = (PROJECT_ROOT / "docs" / "routing.md").read_text()
COMMANDS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
SHOWN = dict(re.findall(r"^```json (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))


def test_every_outcome_label_and_member_is_named() -> None:
    named = set(re.findall(r"`\"?([\w.]+)", GUIDE)) | set(re.findall(r"\"(\w+)\":", GUIDE))
    assert {outcome.value for outcome in Outcome} <= named
    assert set(FIXED_LABELS) <= named
    models = (Defaults, EscalationStep, Inhibition, NotificationPolicy, QuietHoursText, QuietWindowText, Summary)
    assert {name for model in models for name in model.model_fields} <= named


@pytest.mark.integration
@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not there")
def test_the_commands_run(settings: Settings, database: Database, tenant: str) -> None:
    assert tuple(COMMANDS) == ("begin", "why", "policy", "route", "silence", "deliveries")
    notify = settings.notify.model_copy(update={"allowed_networks": "127.0.0.0/8"})
    desk = Desk(database, tenant)
    desk.clock.now = utc_now()
    answers: dict[str, list[Any]] = {}
    names: dict[str, str] = {}
    with (
        http_receiver() as receiver,
        serve(create_app(settings.model_copy(update={"tenant": tenant, "notify": notify}))) as url,
    ):
        for name, text in COMMANDS.items():
            command = text.replace("localhost:8000", url).replace("http://127.0.0.1:9000", receiver.url)
            command = command.replace("2026-12-01T06", f"{utc_now().year + 1}-01-01T06")
            for old, new in names.items():
                command = command.replace(old, new)
            answers[name] = one_by_one(command)
            if name == "begin":
                pipeline_id, rule_id = answers[name][1]["items"][0]["pipeline_id"], answers[name][2]["id"]
                names |= raised(desk, pipeline_id, rule_id)
    made, listed, ended = answers["silence"]
    assert made["matchers"] == ['rule="large"', 'entity.user_id=~"test-.*"']
    assert ([each["id"] for each in listed], ended["id"], ended["status"]) == ([made["id"]], made["id"], "expired")
    assert answers["policy"][0]["version"] == 1
    assert answers["policy"][1]["policy"] == answers["policy"][0]["policy"] == answers["policy"][2][0]["policy"]
    night, nothing = answers["route"]
    assert [(each["route"], each["told_at"]) for each in night["targets"]] == [("payments", "2026-01-16T06:00:00Z")]
    assert [each["route"] for each in nothing["targets"]] == ["rule"]
    shown, told = json.loads(SHOWN["why"]), answers["why"][0]
    assert {**told, "alert_id": 1, "steps": None, "fired": None} == {**shown, "steps": None, "fired": None}
    for step, seen in zip(shown["steps"], told["steps"], strict=True):
        assert {name: seen[name] for name in step} == step
    sent, overdue, driven = answers["deliveries"]
    assert ([each["channel"] for each in sent], overdue, driven["count"]) == (["siem"], [], 0)


def one_by_one(command: str) -> list[Any]:
    """Run commands, each as the guide prints it, but for the numbers of what was made before."""
    found: list[Any] = []
    for each in re.split(r"\n(?=curl)", command):
        text = each
        if "pipelines/1/" in each:
            text = each.replace("pipelines/1/", f"pipelines/{found[1]['items'][0]['pipeline_id']}/")
        if "silences/1" in each:
            text = each.replace("silences/1", f"silences/{found[0]['id']}")
        done = subprocess.run(["sh", "-ec", text], capture_output=True, text=True, check=True)
        found += decoded(done.stdout)
    return found


def raised(desk: Desk, pipeline_id: int, rule_id: int) -> dict[str, str]:
    """Raise the alert that the job would, tell it, and return what the guide's numbers stand for."""
    version = desk.query("SELECT id FROM sentinel.rule_versions WHERE rule_id = %s", rule_id)[0]["id"]
    channel = desk.query("SELECT id, name, kind FROM sentinel.notification_channels")[0]
    desk.adopt(channel["id"], channel["name"], channel["kind"])
    desk.pipeline_id = pipeline_id
    alert_id = desk.alert((rule_id, version))
    desk.run()
    return {"alerts/1/": f"alerts/{alert_id}/", '"alert_id": 1': f'"alert_id": {alert_id}'}
