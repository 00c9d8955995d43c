"""The guide to detectors: its commands run as they are printed, and its tables are complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import psycopg
import pytest

from config_api.app import create_app
from sentinel.batch.detectors import DETECTORS
from sentinel.settings import PROJECT_ROOT, DetectorSettings, Settings
from sentinel.testing.http import serve

GUIDE = (PROJECT_ROOT / "docs" / "detectors.md").read_text()
COMMANDS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
NAMED = set(re.findall(r"`(\w+)`", GUIDE))


def test_every_kind_parameter_and_setting_is_named() -> None:
    assert set(DETECTORS) <= NAMED
    for kind in DETECTORS.values():
        assert set(kind.parameters.model_fields) <= NAMED, kind.name
    assert set(re.findall(r"SENTINEL_DETECTORS__(\w+)", GUIDE)) == {
        name.upper() for name in DetectorSettings.model_fields
    }


def test_the_defaults_are_those_of_the_table() -> None:
    def default(kind: str, name: str) -> str:
        return str(DETECTORS[kind].defaults()[name])

    for kind, levels in (
        ("webhook_integrity", "5, 25, 100"),
        ("payment_failure_spike", "2, 3, 5"),
        ("amount_spike", "3, 5, 10"),
        ("subscription_churn_spike", "2, 3, 5"),
        ("missing_heartbeat", "10, 25, 100"),
    ):
        assert ", ".join(default(kind, name) for name in ("low", "medium", "high")) == levels
        assert re.search(rf"\*\*{kind}\*\*:[^*]*; {levels}\.", " ".join(GUIDE.split())), kind
    for names, kind in (
        (("min_payments", "min_failed"), "payment_failure_spike"),
        (("min_baseline_payments", "assumed_rate"), "payment_failure_spike"),
        (("lowest_rate",), "payment_failure_spike"),
        (("min_earlier",), "amount_spike"),
        (("min_ended", "lowest_mean"), "subscription_churn_spike"),
        (("min_baseline_windows", "assumed_mean"), "subscription_churn_spike"),
    ):
        row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{names[0]}`"))
        assert row.split("|")[3].strip() == ", ".join(default(kind, name) for name in names)
    late = ("payment_failure_spike", "webhook_integrity", "subscription_churn_spike", "missing_heartbeat", "sql")
    first, *others = (default(kind, "late_hours") for kind in late)
    assert f"| `late_hours` | all | {first} ({', '.join(others)}) |" in GUIDE
    assert default("series", "late_hours") == default("sql", "late_hours")
    spikes = ("payment_failure_spike", "amount_spike", "subscription_churn_spike", "missing_heartbeat")
    assert f"| {', '.join(default(kind, 'baseline_days') for kind in spikes)} | how far back" in GUIDE


@pytest.mark.integration
def test_every_column_of_every_view_is_named(settings: Settings) -> None:
    with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
        found = connection.execute(
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns "
            "WHERE table_schema = 'detector_views' GROUP BY table_name"
        ).fetchall()
    assert len(found) == 6
    for view, columns in found:
        row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{view}` | `"))
        assert re.findall(r"`(\w+)`", row)[1:] == columns, view


@pytest.mark.integration
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl or openssl is not there")
def test_the_commands_run(settings: Settings, tenant: str) -> None:
    assert tuple(COMMANDS) == ("list", "tune", "source", "create", "run", "alerts")
    answers: dict[str, list[Any]] = {}
    with serve(create_app(settings.model_copy(update={"tenant": tenant}))) as url:
        for name, text in COMMANDS.items():
            command = text.replace("localhost:8000", url)
            done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True)
            answers[name] = decoded(done.stdout)
    (listed,) = answers["list"]
    told = re.findall(r"^\| `(\w+)` \| [a-z]", GUIDE.partition("## Windows")[0], re.MULTILINE)
    assert sorted(told) == [each["name"] for each in listed]
    assert answers["tune"][0]["is_enabled"] is True
    assert answers["tune"][0]["parameters"].items() >= {"low": "4", "min_earlier": 10}.items()
    assert [receipt["status"] for receipt in answers["source"][1:]] == ["stored"] * 3
    assert answers["create"][0]["is_enabled"] is True, answers["create"]
    first, second = answers["run"]
    assert (first["state"], first["finding_count"], first["fired_count"]) == ("done", 1, 1), first
    assert (second["state"], second["finding_count"], second["fired_count"]) == ("done", 1, 0)
    everything, mine, runs = answers["alerts"]
    assert everything == mine
    (alert,) = mine
    assert (alert["subject"], alert["severity"]) == ("cus_1", "warning")
    assert alert["evidence"][0]["values"]["sample_ids"] == ["evt_1", "evt_2", "evt_3"]
    assert [run["id"] for run in runs] == [second["id"], first["id"]]


def decoded(text: str) -> list[Any]:
    """Return the JSON documents that stand one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found
