"""What people do about alerts, through the API."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx import Client

from sentinel.domain.alert_state import MAX_NOTE_CHARACTERS, MAX_NOTES
from sentinel.domain.api_key import Scope
from sentinel.stores.postgres.database import Database
from tests.integration.api.alert_calls import ACK, act, change, told
from tests.integration.api.conftest import add_rule
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/{id}", None),
    ("PATCH", "/{id}", {"status": "acknowledged"}),
    ("POST", "/{id}/notes", {"text": "mine"}),
    ("POST", "/actions", {"ids": [1], "status": "resolved"}),
]


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def rule(client: Client, pipeline: dict[str, Any]) -> dict[str, Any]:
    """A rule of the tenant."""
    return add_rule(client, pipeline["id"], "amount > 100", description="large")


@pytest.fixture
def alert(findings: Findings, rule: dict[str, Any]) -> int:
    """An alert of the tenant."""
    return findings.alert(rule, "e1")


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, f"/api/alerts{path.format(id=1)}", json=body).status_code == 401


@pytest.mark.parametrize("call", CALLS[:3], ids=["read", "change", "note"])
def test_another_tenant_gets_404(client: Client, stranger: Client, alert: int, call: tuple[str, str, Any]) -> None:
    method, path, body = call
    assert stranger.request(method, f"/api/alerts{path.format(id=alert)}", json=body).status_code == 404
    found = client.get(f"/api/alerts/{alert}").json()
    assert (found["version"], found["notes"], found["changes"]) == (0, [], [])


def test_another_tenants_alerts_are_missing_in_bulk(client: Client, stranger: Client, alert: int) -> None:
    done = act(stranger, ids=[alert], status="resolved")
    assert (done["changed"], done["missing"]) == (0, [alert])
    assert act(stranger, filter={"event_id": "e1"}, status="resolved")["changed"] == 0
    assert client.get(f"/api/alerts/{alert}").json()["status"] == "open"


def test_a_reader_may_not_change(client_of: Callable[..., Client], tenant: str, alert: int) -> None:
    assert change(client_of(tenant, Scope.READ), alert, ACK).status_code == 403


class TestOne:
    def test_from_open_to_resolved_and_back(self, client: Client, alert: int, database: Database, tenant: str) -> None:
        acknowledged = change(client, alert, ACK)
        assert acknowledged.json().items() >= {"id": alert, "status": "acknowledged", "version": 1}.items()
        assert acknowledged.json()["acknowledged_by"].startswith("test (key:")
        body = {"status": "resolved", "disposition": "false_positive", "assignee": "ann"}
        resolved = change(client, alert, body, **{"If-Match": acknowledged.headers["ETag"]})
        assert (resolved.status_code, resolved.headers["ETag"]) == (200, '"2"')
        assert change(client, alert, {"status": "open", "assignee": None}).json()["resolved_by"] is None
        found = client.get(f"/api/alerts/{alert}")
        assert found.headers["ETag"] == '"3"'
        shown = found.json()
        assert (shown["status"], shown["disposition"], shown["event_id"]) == ("open", "false_positive", "e1")
        assert [(item["version"], item["after"].get("status")) for item in shown["changes"]] == [
            (3, "open"), (2, "resolved"), (1, "acknowledged"),
        ]  # fmt: skip
        assert {item["author"] for item in shown["changes"]} == {acknowledged.json()["acknowledged_by"]}
        assert shown["changes"][1]["before"]["disposition"] is None
        (listed,) = client.get("/api/alerts").json()
        assert listed == {name: value for name, value in shown.items() if name not in {"notes", "changes"}}
        assert told(database, tenant) == [(alert, "acknowledged"), (alert, "resolved"), (alert, "reopened")]

    def test_the_audit_says_who_did_what(self, client: Client, alert: int) -> None:
        change(client, alert, {"disposition": "benign"})
        client.post(f"/api/alerts/{alert}/notes", json={"text": "a secret of somebody"})
        entries = client.get("/api/audit", params={"object_type": "alert", "object_id": alert}).json()
        assert [entry["action"] for entry in entries] == ["alert.note", "alert.change"]
        assert {entry["actor"].partition(" ")[0] for entry in entries} == {"test"}
        assert (entries[1]["before"], entries[1]["after"]) == ({"disposition": None}, {"disposition": "benign"})
        assert "secret" not in str(entries)

    def test_what_is_there_already_is_no_change(self, client: Client, alert: int) -> None:
        first = change(client, alert, ACK)
        assert change(client, alert, ACK).json() == first.json()
        assert len(client.get(f"/api/alerts/{alert}").json()["changes"]) == 1

    def test_what_the_status_does_not_allow_is_a_conflict(self, client: Client, alert: int) -> None:
        change(client, alert, {"status": "resolved"})
        answer = change(client, alert, ACK)
        assert answer.status_code == 409
        assert (
            answer.json()["detail"] == f"alert {alert} is resolved; it cannot become acknowledged from there, only open"
        )

    def test_somebody_elses_acknowledgement_needs_force(
        self, alert: int, people: Callable[[str], Client], database: Database, tenant: str
    ) -> None:
        ann, bob = people("ann"), people("bob")
        first = change(ann, alert, ACK).json()
        refused = change(bob, alert, ACK)
        assert (refused.status_code, "'ann (key:" in refused.json()["detail"]) == (409, True)
        taken = change(bob, alert, {**ACK, "force": True}).json()
        assert taken["acknowledged_by"].startswith("bob (key:")
        assert taken["acknowledged_at"] == first["acknowledged_at"]
        assert told(database, tenant) == [(alert, "acknowledged")]

    @pytest.mark.parametrize(("headers", "status"), [({}, 409), ({"If-Match": '"0"'}, 412)])
    def test_of_two_at_once_one_wins(
        self, alert: int, people: Callable[[str], Client], headers: dict[str, str], status: int
    ) -> None:
        callers = [people(name) for name in ("ann", "bob", "cid", "dot")]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda caller: change(caller, alert, ACK, **headers), callers))
        assert sorted(answer.status_code for answer in answers) == [200, status, status, status]
        winner = next(answer.json()["acknowledged_by"] for answer in answers if answer.status_code == 200)
        found = callers[0].get(f"/api/alerts/{alert}").json()
        assert (found["acknowledged_by"], found["version"], len(found["changes"])) == (winner, 1, 1)

    def test_changes_of_different_members_at_once_are_all_made(
        self, alert: int, people: Callable[[str], Client]
    ) -> None:
        wanted = [{"assignee": "ann"}, {"disposition": "benign"}, {"status": "suppressed"}]
        callers = [people(f"p{number}") for number in range(3)]
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(change, callers, [alert] * 3, wanted))
        assert {answer.status_code for answer in answers} == {200}
        found = callers[0].get(f"/api/alerts/{alert}").json()
        assert (found["assignee"], found["disposition"], found["status"]) == ("ann", "benign", "suppressed")
        assert [item["version"] for item in found["changes"]] == [3, 2, 1]

    def test_an_old_version_is_refused(self, client: Client, alert: int) -> None:
        change(client, alert, {"assignee": "ann"})
        answer = change(client, alert, {"assignee": "bob"}, **{"If-Match": '"0"'})
        assert (answer.status_code, "version 1, not 0" in answer.json()["detail"]) == (412, True)

    def test_repeating_it_under_its_key_is_harmless(self, client: Client, alert: int) -> None:
        answers = [change(client, alert, {"status": "resolved"}, **{"Idempotency-Key": "k"}) for _ in range(2)]
        change(client, alert, {"status": "open"})
        again = change(client, alert, {"status": "resolved"}, **{"Idempotency-Key": "k"})
        assert again.json() == answers[0].json() == answers[1].json()
        assert client.get(f"/api/alerts/{alert}").json()["status"] == "open"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"force": True},
            {"status": None},
            {"status": "closed"},
            {"disposition": "maybe"},
            {"assignee": ""},
            {"assignee": "a\nb"},
            {"assignee": "a\x00b"},
            {"assignee": "x" * 129},
            {"status": "open", "acknowledged_by": "eve"},
        ],
    )
    def test_what_cannot_work_is_refused(self, client: Client, alert: int, body: dict[str, Any]) -> None:
        assert change(client, alert, body).status_code == 422
        assert client.get(f"/api/alerts/{alert}").json()["version"] == 0

    @pytest.mark.parametrize("alert_id", ["0", "-1", "x", str(2**63)])
    def test_what_is_no_id_is_refused(self, client: Client, alert_id: str) -> None:
        assert client.get(f"/api/alerts/{alert_id}").status_code == 422
        assert client.get(f"/api/alerts/{2**63 - 1}").status_code == 404


class TestNotes:
    @pytest.mark.parametrize(
        "text",
        [
            "<script>alert('x')</script>",
            "'; DROP TABLE sentinel.alerts; --",
            "line\nline\ttab \x1b[2J",
            "%(alert_id)s {0} %s",
            "\u202e" + "😀" * 10,
            "x" * MAX_NOTE_CHARACTERS,
        ],
        ids=["markup", "sql", "control", "template", "direction", "longest"],
    )
    def test_a_note_is_kept_as_it_is(self, client: Client, alert: int, text: str) -> None:
        answer = client.post(f"/api/alerts/{alert}/notes", json={"text": text})
        assert answer.status_code == 201, answer.text
        found = client.get(f"/api/alerts/{alert}")
        assert found.headers["Content-Type"] == "application/json"
        assert [note["text"] for note in found.json()["notes"]] == [text]

    @pytest.mark.parametrize(
        "body",
        [
            b'{"text": ""}',
            b'{"text": " \\n "}',
            b'{"text": "a\\u0000b"}',
            b'{"text": "\\ud800"}',
            b'{"text": "' + b"x" * (MAX_NOTE_CHARACTERS + 1) + b'"}',
            b'{"text": 7}',
            b'{"text": "x", "author": "eve"}',
            b"{}",
        ],
        ids=["empty", "blank", "nul", "surrogate", "long", "number", "author", "missing"],
    )
    def test_what_cannot_be_kept_is_refused(self, client: Client, alert: int, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        answer = client.post(f"/api/alerts/{alert}/notes", content=body, headers=headers)
        assert answer.status_code in {400, 422}
        assert client.get(f"/api/alerts/{alert}").json()["notes"] == []

    def test_there_are_only_so_many(self, client: Client, findings: Findings, alert: int, tenant: str) -> None:
        findings.run(
            "INSERT INTO sentinel.alert_notes (tenant_id, alert_id, author, text, created_at) "
            "SELECT %s, %s, 'ann', n::text, now() FROM generate_series(1, %s) n",
            (tenant, alert, MAX_NOTES - 1),
        )
        with ThreadPoolExecutor(3) as pool:
            send = lambda _: client.post(f"/api/alerts/{alert}/notes", json={"text": "last"}).status_code  # noqa: E731
            assert sorted(pool.map(send, range(3))) == [201, 409, 409]
        assert [note["text"] for note in client.get(f"/api/alerts/{alert}").json()["notes"]][-2:] == ["199", "last"]

    def test_notes_and_history_cannot_be_altered(self, client: Client, findings: Findings, alert: int) -> None:
        client.post(f"/api/alerts/{alert}/notes", json={"text": "as it was"})
        change(client, alert, ACK)
        for statement in (
            "UPDATE sentinel.alert_notes SET text = %s",
            "DELETE FROM sentinel.alert_notes WHERE text = %s",
            "UPDATE sentinel.alert_changes SET author = %s",
            "DELETE FROM sentinel.alert_changes WHERE author = %s",
        ):
            with pytest.raises(Exception, match="permission denied"):
                findings.run(statement, ("x",))
