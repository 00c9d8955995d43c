"""Dead letters: found, discarded and taken back, sent again to a real broker."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from httpx import Client
from psycopg.errors import InsufficientPrivilege

from config_api.app import create_app
from sentinel.clock import utc_now
from sentinel.domain.api_key import Scope
from sentinel.domain.redrive import MAX_REDRIVES
from sentinel.settings import Settings
from sentinel.stores.kafka.event_log import EventLog
from sentinel.stores.postgres.database import Database
from sentinel.testing.http import serve
from tests.integration.api.conftest import create_pipeline
from tests.integration.api.findings import Findings
from tests.support.topics import Held, held

pytestmark = pytest.mark.integration

EVENT = b'{"transaction_id": "t1", "user_id": "u1", "amount": 5.0}'
ROUTES = [
    ("GET", "", None),
    ("GET", "/counts", None),
    ("GET", "/1", None),
    ("POST", "/1/check", {}),
    ("POST", "/1/redrive", {}),
    ("POST", "/redrive", {"filter": {}}),
    ("POST", "/discard", {"filter": {}, "reason": "old"}),
    ("POST", "/reopen", {"ids": [1]}),
]


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def topic(settings: Settings) -> str:
    """A topic with two partitions."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    log = EventLog(settings.kafka, timeout_seconds=30)
    log.ensure_topic(name, partitions=2)
    log.close()
    return name


@pytest.fixture
def own(client: Client, topic: str) -> dict[str, Any]:
    """A pipeline of that topic."""
    return create_pipeline(client, kafka_topic=topic)


@pytest.fixture
def path(own: dict[str, Any]) -> str:
    """Of its dead letters."""
    return f"/api/pipelines/{own['id']}/dead-letters"


@pytest.fixture
def ids(client: Client, own: dict[str, Any], findings: Findings, path: str) -> list[int]:
    """Four dead letters, oldest first: two that are events by now, one that is none, a tombstone."""
    for offset, (cause, raw) in enumerate(
        (("missing_field", EVENT), ("missing_field", EVENT), ("not_json", b"{"), ("tombstone", None))
    ):
        findings.dead_letter(own["id"], 1000 + offset, cause, raw)
    return [each["id"] for each in reversed(client.get(path).json())]


@pytest.fixture
def records(settings: Settings, topic: str) -> Callable[[], list[Held]]:
    """Reads all that is in the topic."""
    return lambda: held(settings, topic)


def done(answer: Any, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def states(client: Client, path: str) -> dict[int, str]:
    return {each["id"]: each["state"] for each in client.get(path, params={"raw": "false"}).json()}


@pytest.mark.parametrize(("method", "end", "body"), ROUTES)
def test_anonymous_gets_401(anonymous: Client, method: str, end: str, body: Any) -> None:
    answer = anonymous.request(method, f"/api/pipelines/1/dead-letters{end}", json=body)
    assert answer.status_code == 401


@pytest.mark.parametrize(("method", "end", "body"), ROUTES)
def test_another_tenant_gets_404(  # noqa: PLR0917 - fixtures and a route
    stranger: Client, path: str, ids: list[int], method: str, end: str, body: Any
) -> None:
    answer = stranger.request(method, path + end.replace("1", str(ids[0])), json=body)
    assert answer.status_code == 404, answer.text


def test_the_dead_letter_of_another_pipeline_is_not_found(
    client: Client, ids: list[int], path: str, pipeline: dict[str, Any], records: Callable[[], list[Held]]
) -> None:
    other = f"/api/pipelines/{pipeline['id']}/dead-letters"
    assert client.get(f"{other}/{ids[0]}").status_code == 404
    assert client.post(f"{other}/{ids[0]}/redrive", json={"only_events": False}).status_code == 404
    assert client.post(f"{other}/{ids[0]}/check").status_code == 404
    found = done(client.post(f"{other}/discard", json={"ids": ids, "reason": "x"}))
    assert (found["changed"], found["missing"]) == (0, ids)
    assert set(states(client, path).values()) == {"open"}
    assert records() == []


@pytest.mark.parametrize(("method", "end", "body"), ROUTES[4:])
def test_a_key_that_only_looks_changes_nothing(  # noqa: PLR0917 - fixtures and a route
    client_of: Callable[..., Client], tenant: str, path: str, ids: list[int], method: str, end: str, body: Any
) -> None:
    looking = client_of(tenant, Scope.READ)
    assert looking.request(method, path + end.replace("1", str(ids[0])), json=body).status_code == 403
    assert set(states(looking, path).values()) == {"open"}


class TestLooking:
    def test_by_state_cause_and_time(self, client: Client, ids: list[int], path: str) -> None:
        def found(**parameters: Any) -> list[int]:
            answer = client.get(path, params=parameters)
            assert answer.status_code == 200, answer.text
            return [each["id"] for each in answer.json()]

        done(client.post(f"{path}/discard", json={"ids": ids[:1], "reason": "old"}))
        now = utc_now()
        hour = timedelta(hours=1)
        assert found(state="open", cause="missing_field") == [ids[1]]
        assert found(state="discarded") == [ids[0]]
        assert found(since=(now - hour).isoformat()) == ids[::-1]
        assert found(since=(now + hour).isoformat()) == []
        assert found(until=(now - hour).isoformat()) == []
        assert found(until=(now + hour).isoformat(), before=ids[2]) == [ids[1], ids[0]]

    def test_without_their_records(self, client: Client, ids: list[int], path: str) -> None:
        each = client.get(path, params={"raw": "false"}).json()[1]
        assert (each["raw_text"], each["raw_base64"], each["raw_size_bytes"]) == (None, None, 1)

    def test_one_with_its_record(self, client: Client, ids: list[int], path: str) -> None:
        found = done(client.get(f"{path}/{ids[0]}"))
        assert found["raw_text"] == EVENT.decode()
        assert (found["state"], found["redrives"], found["redrive_of"], found["changed_at"]) == ("open", [], None, None)

    def test_counts_by_cause_state_and_hour(self, client: Client, ids: list[int], path: str) -> None:
        done(client.post(f"{path}/discard", json={"ids": ids[:1], "reason": "old"}))
        found = done(client.get(f"{path}/counts"))
        assert found["total"] == 4
        assert [(each["cause"], each["state"], each["count"]) for each in found["causes"]] == [
            ("missing_field", "discarded", 1),
            ("missing_field", "open", 1),
            ("not_json", "open", 1),
            ("tombstone", "open", 1),
        ]
        assert sum(each["count"] for each in found["hours"]) == 4
        assert all(each["hour"].endswith("00:00Z") for each in found["hours"])
        later = done(client.get(f"{path}/counts", params={"since": (utc_now() + timedelta(hours=1)).isoformat()}))
        assert (later["total"], later["hours"]) == (0, [])

    @pytest.mark.parametrize(
        "parameters",
        [
            {"state": "gone"},
            {"since": "yesterday"},
            {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            {"cause": "a\x00"},
        ],
        ids=str,
    )
    def test_a_wrong_filter_is_said(self, client: Client, path: str, parameters: dict[str, str]) -> None:
        assert client.get(path, params=parameters).status_code == 422

    @pytest.mark.parametrize("end", ["/0", "/x", f"/{2**63}"])
    def test_what_is_no_id(self, client: Client, path: str, end: str) -> None:
        assert client.get(path + end).status_code == 422


class TestDiscarding:
    def test_with_a_reason_and_back(self, people: Callable[[str], Client], ids: list[int], path: str) -> None:
        ann = people("ann")
        found = done(ann.post(f"{path}/discard", json={"ids": ids[:2], "reason": "a test of theirs"}))
        assert (found["changed"], found["unchanged"], found["missing"]) == (2, [], [])
        one = done(ann.get(f"{path}/{ids[0]}"))
        assert (one["state"], one["reason"]) == ("discarded", "a test of theirs")
        assert one["changed_by"].startswith("ann ")
        assert one["changed_at"] is not None
        assert done(ann.post(f"{path}/discard", json={"ids": ids[:2], "reason": "again"}))["unchanged"] == ids[:2]
        assert done(ann.post(f"{path}/reopen", json={"ids": [*ids[:1], 2**62]}))["missing"] == [2**62]
        assert states(ann, path)[ids[0]] == "open"
        entries = ann.get("/api/audit", params={"object_type": "dead_letter"}).json()
        told = [(each["action"], each["object_id"], each["after"], each["comment"]) for each in entries]
        assert told == [
            ("dead_letter.reopen", ids[0], {"ids": ids[:1]}, ""),
            ("dead_letter.discard", 0, {"ids": ids[:2]}, "a test of theirs"),
        ]

    def test_by_filter_a_page_at_a_time(self, client: Client, ids: list[int], path: str) -> None:
        wanted = {"filter": {"cause": "missing_field"}, "reason": "old", "limit": 1}
        assert done(client.post(f"{path}/discard", json={**wanted, "dry_run": True}))["changed"] == 1
        assert set(states(client, path).values()) == {"open"}
        first = done(client.post(f"{path}/discard", json=wanted))
        assert (first["changed"], first["next"]) == (1, ids[0])
        second = done(client.post(f"{path}/discard", json={**wanted, "after": first["next"]}))
        assert (second["changed"], second["next"]) == (1, None)
        assert [state for _, state in sorted(states(client, path).items())] == ["discarded"] * 2 + ["open"] * 2

    @pytest.mark.parametrize(
        "body",
        [
            {"ids": [1]},
            {"ids": [1], "reason": " "},
            {"ids": [1], "reason": "x" * 501},
            {"ids": [1], "reason": "a\x00b"},
            {"ids": [], "reason": "x"},
            {"reason": "x"},
            {"ids": [1], "filter": {}, "reason": "x"},
            {"ids": [1], "after": 3, "reason": "x"},
            {"filter": {"state": "redriven"}, "reason": "x"},
            {"filter": {"nobody": 1}, "reason": "x"},
        ],
        ids=str,
    )
    def test_a_wrong_request_is_said(self, client: Client, path: str, body: dict[str, Any]) -> None:
        assert client.post(f"{path}/discard", json=body).status_code == 422


class TestRedriving:
    def test_as_it_was_under_headers_that_name_it(
        self, client: Client, ids: list[int], path: str, topic: str, records: Callable[[], list[Held]]
    ) -> None:
        found = done(client.post(f"{path}/{ids[0]}/redrive", json={"only_events": False}))
        assert (found["sent"], found["left"], found["events"]) == (1, 0, None)
        (record,) = records()
        assert (record.value, record.key) == (EVENT, b"u1")
        assert dict(record.headers) == {
            "sentinel-dead-letter": str(ids[0]).encode(),
            "sentinel-dead-letter-first": str(ids[0]).encode(),
            "sentinel-redrive-count": b"1",
        }
        one = done(client.get(f"{path}/{ids[0]}"))
        assert one["state"] == "redriven"
        (sent,) = one["redrives"]
        assert (sent["kafka_topic"], sent["kafka_offset"], sent["size_bytes"]) == (topic, 0, len(EVENT))
        assert (sent["is_edited"], sent["failed_as"]) == (False, None)
        assert one["raw_text"] == EVENT.decode()

    def test_edited(self, client: Client, ids: list[int], path: str, records: Callable[[], list[Held]]) -> None:
        text = '{"transaction_id": "t9", "user_id": "ü", "amount": 1}'
        done(client.post(f"{path}/{ids[3]}/redrive", json={"text": text, "only_events": False}))
        (record,) = records()
        assert (record.value, record.key) == (text.encode(), "ü".encode())
        (sent,) = done(client.get(f"{path}/{ids[3]}"))["redrives"]
        assert sent["is_edited"]
        (entry,) = client.get("/api/audit", params={"object_type": "dead_letter"}).json()
        assert (entry["action"], entry["after"]) == ("dead_letter.redrive", {"ids": [ids[3]], "edited": True})

    def test_a_repeated_request_sends_nothing_again(
        self, client: Client, ids: list[int], path: str, records: Callable[[], list[Held]]
    ) -> None:
        one: dict[str, Any] = {"json": {"only_events": False}, "headers": {"Idempotency-Key": "k1"}}
        first = done(client.post(f"{path}/{ids[0]}/redrive", **one))
        second = done(client.post(f"{path}/{ids[0]}/redrive", **one))
        assert (first["is_repeated"], second["is_repeated"]) == (False, True)
        assert [each["value_sha256"] for each in second["redrives"]] == [first["redrives"][0]["value_sha256"]]
        many: dict[str, Any] = {
            "json": {"filter": {}, "limit": 1, "only_events": False},
            "headers": {"Idempotency-Key": "k1"},
        }
        assert done(client.post(f"{path}/redrive", **many))["sent"] == 1
        again = done(client.post(f"{path}/redrive", **many))
        assert (again["sent"], again["is_repeated"], again["next"]) == (1, True, ids[1])
        assert len(records()) == 2
        answer = client.post(f"{path}/{ids[0]}/redrive", json={"only_events": False})
        assert answer.status_code == 409
        assert "it is redriven" in answer.json()["detail"]

    def test_many_callers_at_once_send_each_once(
        self, client: Client, ids: list[int], path: str, records: Callable[[], list[Held]]
    ) -> None:
        sent = []

        def call() -> None:
            body = {"ids": ids[:3], "only_events": False, "records_per_second": 1}
            sent.append(done(client.post(f"{path}/redrive", json=body))["sent"])

        callers = [threading.Thread(target=call) for _ in range(3)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert sum(sent) == 3
        assert len(records()) == 3

    def test_by_filter_says_of_each_that_stays_why(
        self, client: Client, ids: list[int], path: str, own: dict[str, Any], findings: Findings
    ) -> None:
        findings.dead_letter(own["id"], 1009, "too_large", EVENT)
        findings.run(
            "INSERT INTO sentinel.dead_letters (tenant_id, pipeline_id, generation_id, source_epoch, kafka_topic, "
            "kafka_partition, kafka_offset, kafka_timestamp, cause, raw, raw_size_bytes) "
            "SELECT tenant_id, pipeline_id, 1, 0, kafka_topic, 0, 1010, kafka_timestamp, cause, raw, 999999 "
            "FROM sentinel.dead_letters WHERE pipeline_id = %s AND kafka_offset = 1009",
            (own["id"],),
        )
        done(client.post(f"{path}/discard", json={"ids": [ids[1]], "reason": "x"}))
        found = done(client.post(f"{path}/redrive", json={"filter": {}, "only_events": False}))
        assert (found["looked_at"], found["sent"], found["left_by"]) == (5, 3, {"no_value": 1, "cut": 1})
        details = {each["why"]: each["detail"] for each in found["left_details"]}
        assert "56 of its 999999 bytes" in details["cut"]
        named = done(client.post(f"{path}/redrive", json={"ids": [*ids[:2], 2**62], "only_events": False}))
        assert named["left_by"] == {"missing": 1, "not_open": 2}

    def test_a_page_at_a_time(self, client: Client, ids: list[int], path: str) -> None:
        wanted = {"filter": {"cause": "missing_field"}, "limit": 1, "only_events": False}
        first = done(client.post(f"{path}/redrive", json=wanted))
        second = done(client.post(f"{path}/redrive", json={**wanted, "after": first["next"]}))
        assert (first["sent"], first["next"], second["sent"], second["next"]) == (1, ids[0], 1, None)

    def test_one_that_fails_again_points_at_its_first_until_the_loop_ends(
        self, client: Client, ids: list[int], path: str, findings: Findings, topic: str
    ) -> None:
        letter = first = ids[2]
        for count in range(1, MAX_REDRIVES + 1):
            (sent,) = done(client.post(f"{path}/{letter}/redrive", json={"only_events": False}))["redrives"]
            assert sent["redrive_count"] == count
            findings.run(
                "INSERT INTO sentinel.dead_letters (tenant_id, pipeline_id, generation_id, source_epoch, kafka_topic, "
                "kafka_partition, kafka_offset, kafka_timestamp, cause, raw, raw_size_bytes) "
                "SELECT tenant_id, pipeline_id, 1, source_epoch, %s, %s, %s, kafka_timestamp, cause, raw, "
                "raw_size_bytes FROM sentinel.dead_letters WHERE id = %s",
                (topic, sent["kafka_partition"], sent["kafka_offset"], letter),
            )
            again = client.get(path).json()[0]
            assert (again["redrive_of"], again["first_id"], again["redrive_count"]) == (letter, first, count)
            assert done(client.get(f"{path}/{letter}"))["redrives"][0]["failed_as"] == again["id"]
            letter = again["id"]
        answer = client.post(f"{path}/{letter}/redrive", json={"only_events": False})
        assert answer.status_code == 409
        assert f"redriven {MAX_REDRIVES} times since dead letter {first}" in answer.json()["detail"]
        assert answer.json()["errors"] == [{"pointer": "", "detail": "loop"}]

    def test_without_the_engine_it_is_said_and_nothing_is_sent(
        self, client: Client, ids: list[int], path: str, records: Callable[[], list[Held]]
    ) -> None:
        answer = client.post(f"{path}/redrive", json={"ids": ids[:2]})
        assert answer.status_code == 503
        assert "rule worker" in answer.json()["detail"]
        assert set(states(client, path).values()) == {"open"}
        assert records() == []

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"ids": []},
            {"ids": [0]},
            {"ids": list(range(1, 502))},
            {"filter": {}, "limit": 501},
            {"filter": {}, "records_per_second": 0},
            {"filter": {}, "limit": 500, "records_per_second": 10},
            {"filter": {"state": "discarded"}},
            {"filter": {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}},
            {"ids": [1], "text": "x"},
        ],
        ids=lambda body: str(body)[:60],
    )
    def test_a_wrong_request_is_said(self, client: Client, path: str, body: dict[str, Any]) -> None:
        assert client.post(f"{path}/redrive", json=body).status_code == 422

    def test_half_a_character_is_no_text(self, client: Client, ids: list[int], path: str) -> None:
        answer = client.post(
            f"{path}/{ids[0]}/redrive",
            content=b'{"text": "\\ud800", "only_events": false}',
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422


class TestABrokerThatIsAway:
    def test_is_a_503_and_nothing_changes(self, settings: Settings, client: Client, ids: list[int], path: str) -> None:
        away = settings.model_copy(
            update={
                "kafka": settings.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}),
                "ingest": settings.ingest.model_copy(update={"timeout_seconds": 0.5}),
                "api": settings.api.model_copy(update={"open": False}),
            }
        )
        with serve(create_app(away)) as url, Client(base_url=url, headers=client.headers, timeout=30) as caller:
            answer = caller.post(f"{path}/redrive", json={"ids": ids[:3], "only_events": False})
        assert answer.status_code == 503
        assert "Kafka" in answer.json()["detail"]
        assert set(states(client, path).values()) == {"open"}
        sent = done(client.post(f"{path}/redrive", json={"ids": ids[:3], "only_events": False}))["sent"]
        assert sent == 3, "they can be sent at once when it is back"


class TestTheDatabaseItself:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE sentinel.dead_letters SET cause = 'empty'",
            "UPDATE sentinel.dead_letters SET raw = ''",
            "DELETE FROM sentinel.dead_letters",
            "UPDATE sentinel.dead_letter_redrives SET redrive_count = 0",
            "DELETE FROM sentinel.dead_letter_redrives",
        ],
    )
    def test_keeps_what_the_job_wrote(self, database: Database, tenant: str, ids: list[int], statement: Any) -> None:
        with pytest.raises(InsufficientPrivilege), database.transaction(tenant) as connection:
            connection.execute(statement)

    def test_shows_no_redrive_of_another_tenant(
        self, client: Client, settings: Settings, ids: list[int], path: str, tenant: str
    ) -> None:
        done(client.post(f"{path}/{ids[0]}/redrive", json={"only_events": False}))
        with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
            for name, count in ((tenant, 1), (settings.tenant, 0)):
                connection.execute("SELECT set_config('app.tenant_id', %s, true)", (name,))
                row = connection.execute(
                    "SELECT count(*) FROM sentinel.dead_letter_redrives WHERE dead_letter_id = %s", (ids[0],)
                ).fetchone()
                assert row == (count,)
