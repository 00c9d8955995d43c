"""Configuration as files against the real API: plan, apply, drift, export, another tenant."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.cli.app import main
from sentinel.client import Client
from sentinel.domain.api_key import Scope
from sentinel.errors import InvalidError, VersionMismatchError
from sentinel.files.export import documents, write
from sentinel.files.loading import load
from sentinel.files.plan import Plan, StoppedError, apply_plan, make_plan
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from tests.integration.api.test_rules import snapshot_rules

pytestmark = pytest.mark.integration

PIPELINE = """
kind: pipeline
name: Card payments
kafka_topic: cards
status: paused
config: {mode: microbatch}
schema:
  - {name: id, type: string, role: event_id}
  - {name: user, type: string, nullable: false, role: entity}
  - {name: amount, type: float}
  - {name: country, type: string}
"""
RULES = """
kind: rule
pipeline: Card payments
name: foreign_and_large
rule_expression: rule('large') AND country <> 'DE'
severity: critical
---
kind: rule
pipeline: Card payments
name: large
rule_expression: amount > 100
severity: warning
description: |
  A large payment.
  Ünïcode, 'quotes', "both" and a # sign.
---
kind: rule
pipeline: Card payments
name: short
rule_expression: >-
  when amount > 5000 and country in ["KP", "IR"]
  then severity("critical"), tag("sanctions")
state: shadow
---
kind: rule
pipeline: Card payments
name: not_yet
rule_expression: amuont > 1
severity: info
state: draft
"""


@pytest.fixture
def sentinel(base_url: str, key_of: Callable[..., str], tenant: str) -> Iterator[Client]:
    """The client of the tenant."""
    with Client(base_url, api_key=key_of(tenant)) as caller:
        yield caller


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with a pipeline and its rules."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "rules" / "all.yml").write_text(RULES)
    (tmp_path / "README.md").write_text("not YAML: {")
    return tmp_path


def planned(client: Client, source: Path, *, prune: bool = False) -> Plan:
    return make_plan(client, load(source), prune=prune)


def applied(client: Client, source: Path, *, prune: bool = False, allow_breaking: bool = False) -> int:
    declared = load(source)
    found = make_plan(client, declared, prune=prune)
    return apply_plan(client, declared, found, prune=prune, allow_breaking=allow_breaking)


def said(plan: Plan) -> list[str]:
    return [f"{change.action} {change.title}: {[item.name for item in change.differences]}" for change in plan.changes]


class TestPlanAndApply:
    def test_planning_changes_nothing(self, sentinel: Client, files: Path) -> None:
        plan = planned(sentinel, files)
        assert [(change.action, change.title) for change in plan.changes] == [
            ("add", "pipeline Card payments"),
            ("add", "rule Card payments / large"),
            ("add", "rule Card payments / foreign_and_large"),
            ("add", "rule Card payments / short"),
            ("add", "rule Card payments / not_yet"),
        ]
        assert sentinel.list_pipelines() == []

    def test_warnings_are_shown_with_the_change_and_do_not_block(self, sentinel: Client, files: Path) -> None:
        text = RULES.replace("amount > 100", "amount > 100 OR country = NULL")
        (files / "rules" / "all.yml").write_text(text)
        notes = [note for change in planned(sentinel, files).changes for note in change.notes]
        assert notes == ["warning: Comparing with NULL by = is never true. Use IS NULL or IS NOT NULL."]
        applied(sentinel, files)

    def test_applied_twice_there_is_nothing_to_do(self, sentinel: Client, files: Path) -> None:
        assert applied(sentinel, files) == 5
        assert said(planned(sentinel, files)) == []
        assert applied(sentinel, files) == 0
        (pipeline,) = sentinel.list_pipelines()
        assert (pipeline.status, pipeline.config.mode) == ("paused", "microbatch")
        rules = {rule.name: rule for rule in sentinel.list_rules(pipeline.id)}
        assert {name: (rule.state, rule.severity) for name, rule in rules.items()} == {
            "large": ("active", "warning"),
            "foreign_and_large": ("active", "critical"),
            "short": ("shadow", "critical"),
            "not_yet": ("draft", "info"),
        }
        assert rules["large"].description == "A large payment.\nÜnïcode, 'quotes', \"both\" and a # sign."
        assert (rules["short"].short_form or "").startswith("when amount > 5000")

    def test_rules_come_into_force_together(
        self, sentinel: Client, files: Path, database: Database, tenant: str
    ) -> None:
        applied(sentinel, files)
        (pipeline,) = sentinel.list_pipelines()
        first = ["amount > 100", "rule('large') AND country <> 'DE'"]
        assert snapshot_rules(database, tenant, pipeline.id) == (1, first)
        path = files / "rules" / "all.yml"
        path.write_text(path.read_text().replace("<> 'DE'", "= 'KP'").replace("amount > 100", "amount > 200"))
        assert applied(sentinel, files) == 2
        assert snapshot_rules(database, tenant, pipeline.id) == (
            2,
            ["amount > 200", "rule('large') AND country = 'KP'"],
        )

    def test_what_somebody_changed_elsewhere_is_drift_and_is_put_back(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        (pipeline,) = sentinel.list_pipelines()
        rules = {rule.name: rule for rule in sentinel.list_rules(pipeline.id)}
        sentinel.change_rule(rules["large"].id, "amount > 1", "info", "mine")
        sentinel.set_rule_status(rules["foreign_and_large"].id, False)
        sentinel.set_pipeline_status(pipeline.id, "active")
        sentinel.add_rule(pipeline.id, "amount > 7", "info", name="by_hand")
        plan = planned(sentinel, files)
        assert said(plan) == [
            "change pipeline Card payments: ['status']",
            "change rule Card payments / large: ['rule_expression', 'description', 'severity']",
            "change rule Card payments / foreign_and_large: ['state']",
        ]
        assert plan.extra == (("rule", ("Card payments", "by_hand")),)
        assert applied(sentinel, files) == 3
        assert said(planned(sentinel, files)) == []
        assert {rule.name for rule in sentinel.list_rules(pipeline.id)} >= {"by_hand"}

    def test_only_pruning_removes(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        (files / "rules" / "all.yml").write_text(RULES.split("---", 3)[2])
        assert said(planned(sentinel, files)) == []
        plan = planned(sentinel, files, prune=True)
        assert [change.title.rpartition(" ")[2] for change in plan.changes] == ["not_yet", "foreign_and_large", "large"]
        assert {change.action for change in plan.changes} == {"remove"}
        assert applied(sentinel, files, prune=True) == 3
        (pipeline,) = sentinel.list_pipelines()
        assert [rule.name for rule in sentinel.list_rules(pipeline.id)] == ["short"]

    def test_every_state_follows_every_other(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        (pipeline,) = sentinel.list_pipelines()
        path = files / "rules" / "all.yml"
        path.write_text(RULES.split("---", 1)[1])
        applied(sentinel, files, prune=True)  # what refers to it would hold it in force
        for state in ("shadow", "draft", "active", "draft", "paused", "shadow", "paused", "active", "paused", "draft"):
            path.write_text(RULES.split("---")[1] + f"state: {state}\n")
            if state == "active":
                path.write_text(path.read_text().replace("amount > 100", "amount > 101"))
            applied(sentinel, files)
            (rule,) = [rule for rule in sentinel.list_rules(pipeline.id) if rule.name == "large"]
            assert rule.state == state
            assert said(planned(sentinel, files)) == []

    def test_what_others_stand_in_the_way_of_waits_for_them(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        path = files / "rules" / "all.yml"
        large = RULES.split("---")[1].replace("severity: warning", "severity: warning\nstate: draft")
        path.write_text(large)
        assert applied(sentinel, files, prune=True) == 4
        assert said(planned(sentinel, files, prune=True)) == []
        path.write_text(RULES)
        assert applied(sentinel, files) == 4
        assert said(planned(sentinel, files)) == []

    def test_an_edit_between_plan_and_apply_is_not_overwritten(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        path = files / "rules" / "all.yml"
        path.write_text(RULES.replace("amount > 100", "amount > 200"))
        declared = load(files)
        plan = make_plan(sentinel, declared, prune=False)
        (pipeline,) = sentinel.list_pipelines()
        rule = next(rule for rule in sentinel.list_rules(pipeline.id) if rule.name == "large")
        sentinel.change_rule(rule.id, "amount > 300", "info", "meanwhile")
        with pytest.raises(StoppedError, match=r"(?s)large.*stopped after 0 of 1 changes") as stopped:
            apply_plan(sentinel, declared, plan, prune=False)
        assert isinstance(stopped.value.__cause__, VersionMismatchError)
        assert sentinel.get_rule(rule.id).rule_expression == "amount > 300"

    def test_applying_stops_at_the_first_failure_and_tells_what_was_done(
        self, sentinel: Client, base_url: str, key_of: Callable[..., str], tenant: str, files: Path
    ) -> None:
        declared = load(files)
        plan = make_plan(sentinel, declared, prune=False)
        done = []
        sentinel.create_pipeline("Other", "other", [{"name": "id", "type": "string"}])

        def tell(change: object) -> None:
            done.append(change)
            if len(done) == 1:
                (pipeline,) = [each for each in sentinel.list_pipelines() if each.name == "Card payments"]
                sentinel.add_rule(pipeline.id, "amount > 1", "info", name="foreign_and_large")

        with pytest.raises(StoppedError, match=r"stopped after 2 of 5 changes, 2 more were not tried"):
            apply_plan(sentinel, declared, plan, prune=False, tell=tell)
        assert len(done) == 2
        assert applied(sentinel, files) == 3
        assert said(planned(sentinel, files)) == []

    def test_a_reader_may_plan_and_not_apply(
        self, base_url: str, key_of: Callable[..., str], tenant: str, files: Path
    ) -> None:
        with Client(base_url, api_key=key_of(tenant, Scope.READ)) as reader:
            assert len(planned(reader, files).changes) == 5
            with pytest.raises(StoppedError, match="stopped after 0 of 5"):
                applied(reader, files)
            assert reader.list_pipelines() == []


class TestSchemas:
    def test_a_new_nullable_field_is_a_plain_change(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        path = files / "pipeline.yaml"
        path.write_text(PIPELINE + "  - {name: device, type: 'struct<os: string>'}\n")
        plan = planned(sentinel, files)
        assert said(plan) == ["change pipeline Card payments: ['schema.device']"]
        assert plan.breaking == ()
        assert applied(sentinel, files) == 1
        assert said(planned(sentinel, files)) == []

    def test_a_breaking_change_is_told_and_needs_to_be_allowed(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        (pipeline,) = sentinel.list_pipelines()
        path = files / "pipeline.yaml"
        path.write_text(PIPELINE.replace("name: amount, type: float", "name: amount, type: 'decimal(12,2)'"))
        plan = planned(sentinel, files)
        assert "breaking: field amount retyped" in plan.changes[0].notes[0]
        with pytest.raises(StoppedError, match=r"nothing was changed.*--allow-breaking"):
            applied(sentinel, files)
        assert sentinel.get_schema(pipeline.id).version == 1
        assert applied(sentinel, files, allow_breaking=True) >= 1
        assert sentinel.get_schema(pipeline.id).version == 2
        assert said(planned(sentinel, files)) == []

    def test_rules_that_change_with_a_field_go_along(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        (files / "pipeline.yaml").write_text(PIPELINE.replace("name: amount", "name: total"))
        with pytest.raises(InvalidError, match=r"all.yml:11: rule Card payments / large: There is no field amount"):
            planned(sentinel, files)
        (files / "rules" / "all.yml").write_text(RULES.replace("amount", "total"))
        applied(sentinel, files, allow_breaking=True)
        assert said(planned(sentinel, files)) == []
        (pipeline,) = sentinel.list_pipelines()
        rules = {rule.name: rule for rule in sentinel.list_rules(pipeline.id)}
        assert (rules["large"].rule_expression, rules["large"].state) == ("total > 100", "active")
        assert rules["foreign_and_large"].state == "active"

    def test_what_cannot_be_changed_is_said_at_its_line(self, sentinel: Client, files: Path) -> None:
        applied(sentinel, files)
        (files / "pipeline.yaml").write_text(PIPELINE.replace("kafka_topic: cards", "kafka_topic: other"))
        with pytest.raises(InvalidError, match=r"pipeline.yaml:4: kafka_topic .* 'cards' and cannot become 'other'"):
            planned(sentinel, files)


class TestRefusals:
    def test_every_rule_that_cannot_work_is_told_at_its_line(self, sentinel: Client, files: Path) -> None:
        wrong = RULES.replace("amount > 100", "amuont > 100").replace("country <> 'DE'", "now() > 1")
        (files / "rules" / "all.yml").write_text(wrong)
        with pytest.raises(InvalidError) as refused:
            planned(sentinel, files)
        lines = refused.value.message.splitlines()
        assert any("all.yml:11: rule Card payments / large: There is no field amuont" in line for line in lines)
        assert any("all.yml:5: rule Card payments / foreign_and_large" in line for line in lines)
        assert sentinel.list_pipelines() == []

    def test_a_rule_without_a_pipeline(self, sentinel: Client, files: Path) -> None:
        (files / "pipeline.yaml").unlink()
        with pytest.raises(InvalidError, match=r"all.yml:3: there is no pipeline 'Card payments', nor in the files"):
            planned(sentinel, files)

    def test_another_tenants_pipeline_is_not_there(
        self, sentinel: Client, base_url: str, key_of: Callable[..., str], settings: Settings, files: Path
    ) -> None:
        applied(sentinel, files)
        (files / "pipeline.yaml").unlink()
        other = f"t{uuid.uuid4().hex[:12]}"
        ensure_tenant(settings.postgres, other, "test")
        with (
            Client(base_url, api_key=key_of(other)) as stranger,
            pytest.raises(InvalidError, match="there is no pipeline"),
        ):
            planned(stranger, files)


class TestExport:
    def test_another_tenant_gets_the_same(  # noqa: PLR0917 - fixtures
        self,
        sentinel: Client,
        base_url: str,
        key_of: Callable[..., str],
        settings: Settings,
        files: Path,
        tmp_path: Path,
    ) -> None:
        applied(sentinel, files)
        (pipeline,) = sentinel.list_pipelines()
        sentinel.add_rule(
            pipeline.id,
            r"country RLIKE r'^\s+#: [x]{2}\w' AND amount > 1e3",
            "info",
            "  odd: text \t#\n\n- x\n",
            name="odd",
        )
        sentinel.create_pipeline("card PAYMENTS!", "cards", [{"name": "x", "type": "array<struct<a: float>>"}])
        out = tmp_path / "exported"
        assert write(documents(sentinel), out, overwrite=False) == 7
        assert write(documents(sentinel), out, overwrite=False) == 0
        assert sorted(path.name for path in out.iterdir()) == ["card-payments", "card-payments-2"]
        assert said(planned(sentinel, out, prune=True)) == []
        other = f"t{uuid.uuid4().hex[:12]}"
        ensure_tenant(settings.postgres, other, "test")
        with Client(base_url, api_key=key_of(other)) as stranger:
            applied(stranger, out)
            assert said(planned(stranger, out, prune=True)) == []
            again = tmp_path / "again"
            write(documents(stranger), again, overwrite=False)
        assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.yaml")} == {
            path.relative_to(again): path.read_bytes() for path in again.rglob("*.yaml")
        }


class TestCommands:
    def run(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["sentinel", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    def test_exit_codes_for_continuous_integration(  # noqa: PLR0917 - fixtures
        self,
        base_url: str,
        key_of: Callable[..., str],
        tenant: str,
        files: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("SENTINEL_URL", base_url)
        monkeypatch.setenv("SENTINEL_KEY", key_of(tenant))
        source = str(files)
        assert self.run(monkeypatch, "plan", "-f", source) == 0
        assert self.run(monkeypatch, "plan", "-f", source, "--detailed-exitcode") == 3
        out = capsys.readouterr().out
        assert "+ rule Card payments / large" in out
        assert "Plan: 5 to add." in out
        assert self.run(monkeypatch, "plan", "-f", source, "--json") == 0
        assert len(json.loads(capsys.readouterr().out)["changes"]) == 5
        assert self.run(monkeypatch, "apply", "-f", source, "--yes") == 0
        assert "Applied: 5 changes." in capsys.readouterr().out
        assert self.run(monkeypatch, "plan", "-f", source, "--detailed-exitcode") == 0
        assert "No changes" in capsys.readouterr().out
        assert self.run(monkeypatch, "export", "--pipeline", "Card payments") == 0
        exported = capsys.readouterr().out
        assert exported.count("kind: rule") == 4
        (files / "rules" / "all.yml").write_text("kind: rule\npipeline: [1\n")
        assert self.run(monkeypatch, "plan", "-f", source, "--detailed-exitcode") == 1
        assert "all.yml:" in capsys.readouterr().err
        assert self.run(monkeypatch, "export", "--pipeline", "nobody") == 1
        assert "there is no pipeline 'nobody'" in capsys.readouterr().err
