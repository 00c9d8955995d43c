"""The typed client against the real API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from sentinel.client import Client
from sentinel.clock import utc_now
from sentinel.domain.api_key import Scope
from sentinel.errors import (
    BreakingChangeError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    InvalidRuleError,
    NotFoundError,
    StoreUnavailableError,
    UnauthenticatedError,
    VersionMismatchError,
)
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import FIELDS
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration


@pytest.fixture
def sentinel(base_url: str, key_of: Callable[..., str], tenant: str) -> Iterator[Client]:
    """The client of the tenant."""
    with Client(base_url, api_key=key_of(tenant)) as caller:
        yield caller


def test_a_pipeline_from_its_creation_to_its_alerts(sentinel: Client, database: Database, tenant: str) -> None:
    pipeline_id = sentinel.create_pipeline("Cards", "cards", FIELDS, config={"mode": "microbatch"})
    assert sentinel.get_pipeline(pipeline_id).config.mode == "microbatch"
    assert sentinel.check_rule("amount > 1", pipeline_id=pipeline_id).valid
    assert not sentinel.check_rule("b > 1", schema=[{"name": "a", "type": "integer"}]).valid
    rule = sentinel.add_rule(pipeline_id, "amount > 100", "critical", "large")
    changed = sentinel.change_rule(rule.id, "amount > 200", "critical", "larger", if_version=rule.row_version)
    assert (changed.version, sentinel.get_rule(rule.id).description) == (2, "larger")
    short = sentinel.change_rule(rule.id, "when amount > 300 then notify('slack:#x'), severity('critical')")
    assert (short.rule_expression, short.actions[0].value) == ("amount > 300", "slack:#x")
    back = sentinel.roll_back_rule(rule.id, 1, "too few", if_version=short.row_version)
    assert (back.version, back.description, back.short_form) == (4, "large", None)
    newest = sentinel.list_rule_versions(rule.id)[0]
    assert (newest.comment, {change.field for change in newest.changes}) == (
        "too few",
        {"rule_expression", "short_form", "actions", "description"},
    )
    assert sentinel.set_rule_status(rule.id, False).is_active is False
    assert [item.id for item in sentinel.list_rules(pipeline_id)] == [rule.id]
    schema = sentinel.get_schema(pipeline_id)
    put = sentinel.put_schema(pipeline_id, [*schema.fields, {"name": "channel", "type": "string"}])
    assert (put.version, sentinel.get_schema(pipeline_id, 1).version) == (2, 1)
    sentinel.set_pipeline_status(pipeline_id, "paused")
    assert sentinel.set_pipeline_config(pipeline_id, mode="realtime").status == "paused"
    findings = Findings(database, tenant)
    raw = {"id": rule.id, "pipeline_id": pipeline_id, "rule_version_id": 1, "severity": "critical"}
    for number in range(5):
        findings.alert(raw, f"e{number}", {"n": number})
    assert [item.event_id for item in sentinel.iterate_alerts(limit=2)] == ["e4", "e3", "e2", "e1", "e0"]
    page = sentinel.list_alerts(limit=2, pipeline_id=pipeline_id, since=utc_now() - timedelta(hours=1), text='"n": 3')
    assert ([item.transaction_data for item in page.alerts], page.next_before) == ([{"n": 3}], None)
    assert sentinel.list_pipelines()[0].alert_count == 5
    findings.progress(pipeline_id, 0, 10)
    assert sentinel.score(pipeline_id, "e1").status == "matched"
    assert sentinel.score(pipeline_id, "a/b c?", partition=0, offset=3).status == "clean"
    assert sentinel.progress(pipeline_id).decided_records == 10
    findings.generation(pipeline_id, "active", [(0, 0, None)])
    assert sentinel.generations(pipeline_id)[0].borders[0].end_offset is None
    findings.dead_letter(pipeline_id, 4, "not_json")
    assert sentinel.dead_letters(pipeline_id, cause="not_json")[0].raw_text == "{"
    assert sentinel.readiness().status == "ok"


def test_errors_come_back_as_what_they_were(
    sentinel: Client, base_url: str, key_of: Callable[..., str], tenant: str
) -> None:
    pipeline_id = sentinel.create_pipeline("Cards", "cards", FIELDS)
    rule = sentinel.add_rule(pipeline_id, "country = 'DE'", "info")
    with pytest.raises(ConflictError, match="'Cards'"):
        sentinel.create_pipeline("Cards", "cards", FIELDS)
    with pytest.raises(InvalidError) as invalid:
        sentinel.create_pipeline("x", "..", [{"name": "a", "type": "banana"}])
    assert {detail.pointer for detail in invalid.value.details} == {"/kafka_topic", "/schema/0/type"}
    with pytest.raises(InvalidRuleError) as refused:
        sentinel.add_rule(pipeline_id, "amuont > 1", "info")
    assert refused.value.issues[0]["start"] == 0
    with pytest.raises(NotFoundError, match="no pipeline 999999"):
        sentinel.get_pipeline(999999)
    with pytest.raises(VersionMismatchError):
        sentinel.set_rule_status(rule.id, False, if_version=7)
    without = [field for field in FIELDS if field["name"] != "country"]
    with pytest.raises(BreakingChangeError) as breaking:
        sentinel.put_schema(pipeline_id, without)
    confirmed = sentinel.put_schema(pipeline_id, without, confirm=breaking.value.plan["confirm"])
    assert confirmed.deactivated_rules == [rule.id]
    with Client(base_url) as nobody, pytest.raises(UnauthenticatedError):
        nobody.list_pipelines()
    with Client(base_url, api_key=key_of(tenant, Scope.READ)) as reader, pytest.raises(ForbiddenError):
        reader.set_pipeline_status(pipeline_id, "paused")


def test_an_api_that_is_away_is_a_store_that_does_not_answer() -> None:
    with Client("http://127.0.0.1:1") as nowhere, pytest.raises(StoreUnavailableError, match="the API does not answer"):
        nowhere.list_pipelines()


def test_an_answer_that_is_no_problem_is_still_an_error() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(502, text="<html>"))
    with Client("http://x", transport=transport) as caller, pytest.raises(Exception, match="answered 502"):
        caller.list_pipelines()


def test_a_broken_connection_is_tried_once_more_under_the_same_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.RemoteProtocolError("gone")
        return httpx.Response(201, json={"id": 7, "message": ""})

    with Client("http://x", transport=httpx.MockTransport(answer)) as caller:
        assert caller.create_pipeline("a", "b", []) == 7
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_the_life_of_a_rule(sentinel: Client) -> None:
    pipeline_id = sentinel.create_pipeline("Wallets", "cards", FIELDS)
    rule = sentinel.add_rule(pipeline_id, "amount > 100", "critical", name="large", state="draft")
    assert (rule.name, rule.state, rule.issues) == ("large", "draft", [])
    assert sentinel.set_rule_state(rule.id, "shadow", if_version=rule.row_version).state == "shadow"
    rolled = sentinel.set_rule_state(rule.id, "rollout", share_percent=12.5)
    assert rolled.rollout is not None
    assert (rolled.rollout.share_percent, rolled.rollout.entity) == (12.5, "user_id")
    assert sentinel.promote_rule(rule.id, "good").state == "active"
    proposed = sentinel.propose_rule(rule.id, "amount > 50")
    assert proposed.candidate is not None
    assert (proposed.candidate.version, proposed.candidate.state) == (2, "draft")
    assert sentinel.set_candidate_state(rule.id, "rollout", share_percent=10).row_version > proposed.row_version
    result = sentinel.rollout(rule.id)
    assert (result.control_version, result.candidate_version, result.arms, result.guard_rail) == (1, 2, [], None)
    assert sentinel.abort_rule(rule.id).candidate is None
    assert [change.field for change in sentinel.diff_rule_versions(rule.id, 1, 2)] == ["rule_expression"]
    muted = sentinel.mute_rule(pipeline_id, rule.id, "noise")
    soon = utc_now() + timedelta(days=1)
    snoozed = sentinel.snooze(pipeline_id, "user_id", "u1", "known", expires_at=soon, rule_id=rule.id)
    assert sentinel.end_mute(muted.id).ended_at is not None
    assert [mute.id for mute in sentinel.list_mutes(pipeline_id)] == [snoozed.id]
    assert len(sentinel.list_mutes(pipeline_id, ended=True)) == 2
    assert sentinel.suppressed(pipeline_id, rule_id=rule.id) == []
    card = sentinel.add_scorecard(pipeline_id, "risk", {"large": 60}, review=50, decline=80)
    changed = sentinel.change_scorecard(card.id, {"large": 90}, review=50, decline=80, if_version=card.row_version)
    assert (changed.version, sentinel.list_scorecards(pipeline_id)[0].weights) == (2, {"large": 90})
    assert sentinel.audit(pipeline_id=pipeline_id, limit=1)[0].action == "scorecard.change"
    with pytest.raises(ConflictError, match="cannot be archived while scorecards weigh it: risk"):
        sentinel.set_rule_state(rule.id, "archived")
