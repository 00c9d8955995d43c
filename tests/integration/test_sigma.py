"""The shared Sigma rules, imported by the command line and run by a job over the shared events."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from config_api.app import create_app
from sentinel.cli.app import main
from sentinel.domain.api_key import Scope
from sentinel.files.sigma_rules import name_of
from sentinel.sigma.convert import read_sigma
from sentinel.testing.http import serve
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled
from tests.support.sigma import shared_rules, shared_schema, write_shared_rules

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

MAPPING = ("--mapping", "windows-sysmon")


@pytest.fixture
def api(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API, and an environment in which commands find it."""
    closed = bench.settings.model_copy(update={"api": bench.settings.api.model_copy(update={"open": False})})
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        secret = unit.keys.create("test", [Scope.WRITE])[1]
    with serve(create_app(closed)) as url:
        monkeypatch.setenv("SENTINEL_URL", url)
        monkeypatch.setenv("SENTINEL_KEY", secret)
        yield url


def sigma(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sentinel", "sigma", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("api")
def test_imported_rules_give_exactly_their_matrix_live(
    bench: Workbench,
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rules = tmp_path / "rules"
    write_shared_rules(shared_data, rules)
    names = {
        name_of(rule.sigma_id, rule.title): str(rule.sigma_id)
        for rule in shared_rules(read_sigma(rules)[0], shared_data)
    }
    topic = bench.create_topic()
    pipeline_id = bench.create_pipeline(topic, {}, fields=shared_schema(shared_data))
    target = ("--pipeline", str(pipeline_id))
    assert sigma(monkeypatch, "import", str(rules), *target, *MAPPING, "--dry-run") == 0
    assert "24 would be added, 0 would be changed, 0 the same" in capsys.readouterr().out
    assert sigma(monkeypatch, "import", str(rules), *target, *MAPPING) == 0
    assert "24 added, 0 changed, 0 the same" in capsys.readouterr().out
    assert sigma(monkeypatch, "import", str(rules), *target, *MAPPING) == 0
    assert "0 added, 0 changed, 24 the same" in capsys.readouterr().out

    expected = json.loads((shared_data / "sigma" / "expected.json").read_text())
    events = (shared_data / "sigma" / "events.jsonl").read_bytes().splitlines()
    assert bench.send(topic, events) == expected["events"]
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        by_id = {rule.id: names[rule.name] for rule in unit.rules.list(pipeline_id)}
    with bench.job(pipeline_id) as job:
        # Patient: compiling 24 rules over 62 fields takes long where the processors are busy.
        bench.wait_decided(pipeline_id, topic, job, timeout=300)
        found: dict[str, list[str]] = defaultdict(list)
        for alert in bench.query("SELECT rule_id, event_id FROM sentinel.alerts WHERE pipeline_id = %s", pipeline_id):
            found[by_id[alert["rule_id"]]].append(alert["event_id"])
        assert {rule: sorted(events) for rule, events in found.items()} == expected["matrix"]
        bench.wait_archived(pipeline_id, job, timeout=300)
        bench.wait_settled(pipeline_id, topic, job)
    assert_reconciled(bench, pipeline_id)


@pytest.mark.usefixtures("api")
def test_what_cannot_be_imported_is_told_and_nothing_is_done(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline_id = bench.create_pipeline("nowhere", {})
    rule = "title: {}\nlogsource: {{product: x}}\nlevel: high\ndetection: {{s: {{{}: x}}, condition: s}}\n"
    (tmp_path / "good.yml").write_text(rule.format("Good", "user_id"))
    (tmp_path / "bad.yml").write_text(rule.format("Bad", "nobody|endswith"))
    target = ("--pipeline", str(pipeline_id))
    assert sigma(monkeypatch, "import", str(tmp_path), *target) == 1
    assert "bad.yml:1: rule 'Bad': field nobody: the pipeline's schema has no field 'nobody'" in capsys.readouterr().err
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        assert unit.rules.list(pipeline_id) == []
    assert sigma(monkeypatch, "import", str(tmp_path), *target, "--keep-going", "--state", "shadow") == 1
    captured = capsys.readouterr()
    assert "1 added, 0 changed, 0 the same" in captured.out
    assert "1 rule cannot be imported" in captured.err
    assert "its log source (product x) is not checked" in captured.err
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        (added,) = unit.rules.list(pipeline_id)
    assert (added.state, added.current.severity) == ("shadow", "critical")
    assert sigma(monkeypatch, "import", str(tmp_path / "good.yml"), "--pipeline", "nobody") == 1
    assert f"there is no pipeline 'nobody'; there are: {pipeline_id}" in capsys.readouterr().err
