"""Events by HTTP, on real servers."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from httpx import Client, Response

from config_api.app import create_app
from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.http import serve
from tests.integration.api.conftest import FIELDS
from tests.support.topics import held


def values(settings: Settings, topic: str) -> list[bytes]:
    """All values that a topic holds."""
    return [record.value or b"" for record in held(settings, topic)]


def make_pipeline(client: Client, name: str = "payments", **config: Any) -> tuple[int, str]:
    topic = f"t-{uuid.uuid4().hex}"
    made = client.post("/api/pipelines", json={"name": name, "kafka_topic": topic, "schema": FIELDS, "config": config})
    assert made.status_code == 201, made.text
    return made.json()["id"], topic


def payment(**changed: Any) -> dict[str, Any]:
    return {"transaction_id": uuid.uuid4().hex, "user_id": "u-1", "amount": 10.5, **changed}


def counts(answer: Response) -> tuple[int, int, int]:
    assert answer.status_code == 202, answer.text
    body = answer.json()
    return body["accepted"], body["duplicate"], body["rejected"]


# -- the default pipeline and routes


def test_curl_works_out_of_the_box(client: Client, settings: Settings, tenant: str) -> None:
    # As `curl -d` sends it: the content type of a form.
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/events", content='{"type":"order","amount":750}', headers=headers)
    assert counts(answer) == (1, 0, 0)
    (pipeline,) = client.get("/api/pipelines").json()
    assert pipeline["name"] == "events"
    (item,) = answer.json()["items"]
    # It had no id, so it got one.
    event_id = item["event_id"]
    assert len(event_id) == 32
    assert item == {
        "index": 0,
        "status": "accepted",
        "event_id": event_id,
        "pipeline_id": pipeline["id"],
        "errors": [],
    }
    (value,) = values(settings, f"{tenant}.events")
    assert value == b'{"id":"%s","type":"order","amount":750}' % event_id.encode()
    assert counts(client.post("/events", json={"type": "refund", "id": "r-1"})) == (1, 0, 0)
    assert len(client.get("/api/pipelines").json()) == 1


def test_an_event_goes_where_its_type_says(client: Client, settings: Settings) -> None:
    exact, exact_topic = make_pipeline(client, "exact", edge_check="off")
    begins, begins_topic = make_pipeline(client, "begins", edge_check="off")
    assert client.put("/api/event-routes/order.paid", json={"pipeline_id": exact}).status_code == 200
    assert client.put("/api/event-routes/order.*", json={"pipeline_id": begins}).status_code == 200
    sent = [{"type": "order.paid"}, {"type": "order.sent"}, {"type": "other"}]
    answer = client.post("/events", json=sent)
    assert counts(answer) == (3, 0, 0)
    found = [item["pipeline_id"] for item in answer.json()["items"]]
    assert found[:2] == [exact, begins]
    assert found[2] not in {exact, begins}
    assert [json.loads(value) for value in values(settings, exact_topic)] == [sent[0]]
    assert [json.loads(value) for value in values(settings, begins_topic)] == [sent[1]]
    routes = [{"event_type": "order.*", "pipeline_id": begins}, {"event_type": "order.paid", "pipeline_id": exact}]
    assert client.get("/api/event-routes").json() == routes
    assert client.delete("/api/event-routes/order.*").json() == routes[0]
    assert client.delete("/api/event-routes/order.*").status_code == 404
    actions = [entry["action"] for entry in client.get("/api/audit", params={"object_type": "event_route"}).json()]
    assert actions == ["event_route.remove", "event_route.put", "event_route.put"]


def test_a_route_that_cannot_be_is_refused(client: Client) -> None:
    answer = client.put("/api/event-routes/or*der", json={"pipeline_id": 99})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/event_type", "/pipeline_id"]


def test_a_pipeline_is_named_by_path_or_header(client: Client, settings: Settings) -> None:
    pipeline_id, topic = make_pipeline(client)
    ids = ["a", "b", "c"]
    assert counts(client.post(f"/api/pipelines/{pipeline_id}/events", json=payment(transaction_id="a"))) == (1, 0, 0)
    for header, event_id in (("payments", "b"), (str(pipeline_id), "c")):
        answer = client.post("/events", json=payment(transaction_id=event_id), headers={"X-Sentinel-Pipeline": header})
        assert counts(answer) == (1, 0, 0)
    assert sorted(json.loads(value)["transaction_id"] for value in values(settings, topic)) == ids
    unknown = client.post("/events", json={}, headers={"X-Sentinel-Pipeline": "none"})
    assert unknown.status_code == 404
    assert "'none'" in unknown.json()["detail"]
    assert client.post("/api/pipelines/999999/events", json={}).status_code == 404


# -- forms of a body


def test_many_events_at_once(client: Client, settings: Settings) -> None:
    pipeline_id, topic = make_pipeline(client, edge_check="off")
    path = f"/api/pipelines/{pipeline_id}/events"
    array = (
        b'[ {"transaction_id": "a", "amount": 1.10} ,{"transaction_id":"b","amount":123456789012345678901234567890}]'
    )
    lines = b'{"transaction_id": "c"}\r\n\n{"transaction_id": "d"}\n'
    assert counts(client.post(path, content=array)) == (2, 0, 0)
    assert counts(client.post(path, content=lines, headers={"Content-Type": "application/x-ndjson"})) == (2, 0, 0)
    more = b'{"transaction_id": "e"}\n{"transaction_id": "f"}'
    assert counts(client.post(path, content=more)) == (2, 0, 0)
    zipped = {"Content-Encoding": "gzip"}
    assert counts(client.post(path, content=gzip.compress(b'{"transaction_id": "g"}'), headers=zipped)) == (1, 0, 0)
    packed = zstandard.compress(b'[{"transaction_id": "h"}]')
    assert counts(client.post(path, content=packed, headers={"Content-Encoding": "zstd"})) == (1, 0, 0)
    found = values(settings, topic)
    # As they came, to the digit.
    assert b'{"transaction_id": "a", "amount": 1.10}' in found
    assert b'{"transaction_id":"b","amount":123456789012345678901234567890}' in found
    assert sorted(json.loads(value)["transaction_id"] for value in found) == list("abcdefgh")


def test_cloud_events(client: Client, settings: Settings, tenant: str) -> None:
    event = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "order", "time": "2026-01-02T03:04:05Z"}
    structured = json.dumps({**event, "data": {"amount": 1.50, "id": "own"}})
    headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    assert counts(client.post("/events", content=structured, headers=headers)) == (1, 0, 0)
    encoded = base64.b64encode(b'{"amount": 3}').decode()
    batch = json.dumps(
        [
            {**event, "id": "e-2", "data": [1, 2]},
            {**event, "id": "e-3", "data_base64": encoded},
            {**event, "source": ""},
        ]
    )
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    answer = client.post("/events", content=batch, headers=headers)
    assert counts(answer) == (2, 0, 1)
    assert answer.json()["items"][2]["errors"][0]["pointer"] == "/source"
    binary = {f"ce-{name}": value for name, value in {**event, "id": "e%204"}.items()}
    answer = client.post("/events", content=b'{"amount": 2.0}', headers=binary)
    assert counts(answer) == (1, 0, 0)
    assert answer.json()["items"][0]["event_id"] == "e 4"
    common = {"source": "/shop", "type": "order", "time": "2026-01-02T03:04:05Z"}
    found = {value["id"]: value for value in map(json.loads, values(settings, f"{tenant}.events"))}
    assert found == {
        "own": {**common, "id": "own", "amount": 1.5},
        "e-2": {**common, "id": "e-2", "data": [1, 2]},
        "e-3": {**common, "id": "e-3", "amount": 3},
        "e 4": {**common, "id": "e 4", "amount": 2.0},
    }


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"", {}, 422, "the body is empty"),
        (b"  \n ", {}, 422, "the body is empty"),
        (b"\xff{}", {}, 422, "not UTF-8"),
        (b"nonsense", {}, 422, "not one well-formed document: Expecting value at character 1"),
        (b'{"a": NaN}', {}, 422, "NaN"),
        (b'{"a": 1', {}, 422, "cut off"),
        (b"[{}, {]", {}, 422, "not an array of events"),
        (b"[{}, {}", {}, 422, "not an array of events"),
        (b"[{},]", {}, 422, "not an array of events"),
        (b"17", {}, 422, "an event is a JSON object"),
        (b"[" * 200_000, {}, 422, "nested too deep"),
        (b'{"a":' * 50_000, {}, 422, "nested too deep"),
        (b"[" + b"{}," * 10_000 + b"{}]", {}, 422, "at most 10000"),
        (b"[" + b"1," * 2_000_000 + b"1]", {}, 422, "at most 10000"),
        (b"a\n" * 2_000_000, {"Content-Type": "application/x-ndjson"}, 422, "at most 10000"),
        (
            b'{"specversion":' + b'{"a":' * 400 + b"1" + b"}" * 401,
            {"Content-Type": "application/cloudevents+json"},
            422,
            "specversion",
        ),
        (b"{}\n" * 10_001, {}, 422, "at most 10000"),
        (b"x" * 6_000_000, {}, 413, "bytes at most"),
        (gzip.compress(b" " * 6_000_000, mtime=0), {"Content-Encoding": "gzip"}, 413, "decompressed"),
        (gzip.compress(b"{}", mtime=0)[:-9], {"Content-Encoding": "gzip"}, 422, "cut off"),
        (b"{}", {"Content-Encoding": "gzip"}, 422, "said to be gzip"),
        (b"{}", {"Content-Encoding": "zstd"}, 422, "said to be zstd"),
        (zstandard.compress(b" " * 6_000_000), {"Content-Encoding": "zstd"}, 413, "decompressed"),
        (zstandard.compress(b"{}" * 50_000)[:-5], {"Content-Encoding": "zstd"}, 422, "cut off"),
        (b"", {"Content-Encoding": "zstd"}, 422, "cut off"),
        (gzip.compress(b"", mtime=0) * 101, {"Content-Encoding": "gzip"}, 422, "more than 100 gzip members"),
        (zstandard.compress(b"") * 101, {"Content-Encoding": "zstd"}, 422, "more than 100 zstd frames"),
        (b"{}", {"Content-Encoding": "br"}, 415, "'br' is not read"),
        (b"{}", {"Idempotency-Key": "a b"}, 422, "Idempotency-Key"),
        (b"{}", {"ce-id": "1"}, 422, "specversion"),
        (b"{}", {"Content-Type": "application/cloudevents+json"}, 422, "specversion"),
        (
            b'{"specversion":"1.0","id":1,"source":"s","type":"t"}',
            {"Content-Type": "application/cloudevents+json"},
            422,
            "/id",
        ),
    ],
)
def test_a_bad_body_is_told_and_nothing_is_written(
    client: Client, body: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    answer = client.post("/events", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert client.get("/api/pipelines").json() == []


# -- the check at the edge


def test_what_the_schema_cannot_hold_is_rejected_with_its_place(client: Client, settings: Settings) -> None:
    pipeline_id, topic = make_pipeline(client)
    wrong = [payment(amount="much", user_id=None), payment(country=7), {"Transaction_id": "x"}, "text"]
    answer = client.post(f"/api/pipelines/{pipeline_id}/events", json=wrong)
    assert counts(answer) == (1, 0, 3)
    errors = [[error["pointer"] for error in item["errors"]] for item in answer.json()["items"]]
    assert errors == [["/user_id", "/amount"], [], ["/transaction_id", "/user_id", "/amount"], [""]]
    assert "upper and lower case count" in answer.json()["items"][2]["errors"][0]["detail"]
    assert len(values(settings, topic)) == 1
    single = client.post(f"/api/pipelines/{pipeline_id}/events", json=payment(amount="much"))
    assert single.status_code == 422
    assert single.json()["errors"][0]["pointer"] == "/amount"


def test_the_check_can_warn_or_be_off(client: Client, settings: Settings) -> None:
    for mode, told in (("warn", ["/amount"]), ("off", [])):
        pipeline_id, topic = make_pipeline(client, mode, edge_check=mode)
        answer = client.post(f"/api/pipelines/{pipeline_id}/events", json=payment(amount="much"))
        assert counts(answer) == (1, 0, 0)
        assert [error["pointer"] for error in answer.json()["items"][0]["errors"]] == told
        assert len(values(settings, topic)) == 1


def test_an_event_that_is_too_large_for_its_pipeline_is_rejected(client: Client) -> None:
    pipeline_id, _ = make_pipeline(client, max_record_bytes=200)
    answer = client.post(f"/api/pipelines/{pipeline_id}/events", json=[payment(), payment(country="x" * 200)])
    assert counts(answer) == (1, 0, 1)
    assert "the pipeline takes 200" in answer.text


# -- repetitions


def test_an_event_is_taken_once(client: Client, settings: Settings) -> None:
    pipeline_id, topic = make_pipeline(client)
    path = f"/api/pipelines/{pipeline_id}/events"
    one, two = payment(), payment()
    assert counts(client.post(path, json=[one, two, one])) == (2, 1, 0)
    assert counts(client.post(path, json=one)) == (0, 1, 0)
    other = client.post(path, json={**two, "amount": 99})
    assert counts(other) == (0, 1, 0)
    assert "another event with this id" in other.json()["items"][0]["errors"][0]["detail"]
    assert len(values(settings, topic)) == 2


def test_a_request_with_a_key_is_answered_once(client: Client, settings: Settings) -> None:
    pipeline_id, topic = make_pipeline(client, edge_check="warn")
    path = f"/api/pipelines/{pipeline_id}/events"
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = client.post(path, json={"country": "DE"}, headers=headers)
    again = client.post(path, json={"country": "DE"}, headers=headers)
    assert counts(first) == (1, 0, 0)
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.post(path, json={"country": "FR"}, headers=headers).status_code == 422
    assert len(values(settings, topic)) == 1


def test_a_key_tells_cloud_events_by_their_headers(client: Client) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex, "ce-specversion": "1.0", "ce-source": "s", "ce-type": "t"}
    # Data is optional.
    assert counts(client.post("/events", headers={**headers, "ce-id": "e-1"})) == (1, 0, 0)
    assert counts(client.post("/events", headers={**headers, "ce-id": "e-1"})) == (1, 0, 0)
    assert client.post("/events", headers={**headers, "ce-id": "e-2"}).status_code == 422


def test_half_a_character_is_answered(client: Client) -> None:
    pipeline_id, _ = make_pipeline(client)
    path = f"/api/pipelines/{pipeline_id}/events"
    good = b'{"transaction_id":"\\ud800","user_id":"u","amount":1}'
    wrong = b'{"transaction_id":"x","user_id":"u","amount":"\\udfff"}'
    taken = client.post(path, content=b"[" + good + b"," + wrong + b"]", headers={"Idempotency-Key": "k"})
    assert counts(taken) == (1, 0, 1)
    assert taken.json()["items"][0]["event_id"] == "?"
    assert client.post(path, content=wrong).status_code == 422
    assert counts(client.post(path, content=b"[" + good + b"]")) == (0, 1, 0)


# -- who may, and how much


def test_a_key_of_a_source_may_send_and_nothing_else(client_of: Callable[..., Client], tenant: str) -> None:
    source = client_of(tenant, Scope.INGEST)
    assert counts(source.post("/events", json={"type": "order"})) == (1, 0, 0)
    assert source.get("/api/pipelines").status_code == 403
    assert source.put("/api/event-routes/a", json={"pipeline_id": 1}).status_code == 403
    assert client_of(tenant, Scope.READ).post("/events", json={}).status_code == 403


def test_a_tenant_cannot_send_to_another(client_of: Callable[..., Client], settings: Settings, client: Client) -> None:
    pipeline_id, _ = make_pipeline(client)
    other = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(settings.postgres, other, "test")
    stranger = client_of(other)
    assert stranger.post(f"/api/pipelines/{pipeline_id}/events", json=payment()).status_code == 404
    assert stranger.put("/api/event-routes/a", json={"pipeline_id": pipeline_id}).status_code == 422


def test_nothing_is_written_to_the_topic_of_another_tenant(
    client_of: Callable[..., Client], settings: Settings, client: Client, tenant: str
) -> None:
    pipeline_id, topic = make_pipeline(client)
    assert counts(client.post(f"/api/pipelines/{pipeline_id}/events", json=payment())) == (1, 0, 0)
    other = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(settings.postgres, other, "test")
    stranger = client_of(other)
    wanted = {"name": "theirs", "kafka_topic": topic, "schema": FIELDS}
    theirs = stranger.post("/api/pipelines", json=wanted).json()["id"]
    refused = stranger.post(f"/api/pipelines/{theirs}/events", json=payment())
    assert refused.status_code == 403
    assert "belongs to another tenant" in refused.json()["detail"]
    assert len(values(settings, topic)) == 1
    # A built-in topic is its tenant's even before there is one.
    wanted = {"name": "built-in", "kafka_topic": f"{tenant}.stripe", "schema": FIELDS}
    forged = stranger.post("/api/pipelines", json=wanted).json()["id"]
    assert stranger.post(f"/api/pipelines/{forged}/events", json=payment()).status_code == 403
    wanted = {"name": "squatted", "kafka_topic": f"{tenant}.events", "schema": FIELDS}
    squatted = stranger.post("/api/pipelines", json=wanted).json()["id"]
    assert counts(client.post("/events", json={"type": "order"})) == (1, 0, 0)
    # Whose it is does not become visible otherwise.
    assert [each["id"] for each in stranger.get("/api/pipelines").json()] == [theirs, forged, squatted]


def test_too_many_events_are_told_when_to_come_back(
    settings: Settings, key_of: Callable[..., str], tenant: str
) -> None:
    few = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"events_per_minute": 10})})
    with (
        serve(create_app(few)) as url,
        Client(base_url=url, headers={"X-API-Key": key_of(tenant)}, timeout=60) as sender,
    ):
        assert counts(sender.post("/events", json=[{"type": "a"}] * 8)) == (8, 0, 0)
        refused = sender.post("/events", json=[{"type": "a"}] * 5)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert counts(sender.post("/events", json=[{"type": "a"}] * 2)) == (2, 0, 0)
        assert sender.post("/events", json=[{"type": "a"}] * 11).status_code == 422
