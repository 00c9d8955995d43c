"""Progress, generations, dead letters and verdicts on events."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
import redis
from httpx import Client

from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.redis.scores import ScoreStore, connect
from tests.integration.api.conftest import FIELDS, add_rule, create_pipeline
from tests.integration.api.findings import Findings

pytestmark = pytest.mark.integration

PATHS = ["progress", "generations", "dead-letters", "scores/e1"]
NO_ID = [field for field in FIELDS if field.get("role") != "event_id"]


@pytest.fixture
def findings(database: Database, tenant: str) -> Findings:
    """Writes findings of the tenant."""
    return Findings(database, tenant)


@pytest.fixture
def scores(settings: Settings, tenant: str, pipeline: dict[str, Any]) -> ScoreStore:
    """Writes scores of the pipeline."""
    client: redis.Redis = connect(settings.redis)
    return ScoreStore(client, settings.redis, tenant, pipeline["id"])


@pytest.mark.parametrize("path", PATHS)
def test_anonymous_gets_401(anonymous: Client, path: str) -> None:
    assert anonymous.get(f"/api/pipelines/1/{path}").status_code == 401


@pytest.mark.parametrize("path", PATHS)
def test_another_tenant_gets_404(stranger: Client, pipeline: dict[str, Any], path: str) -> None:
    assert stranger.get(f"/api/pipelines/{pipeline['id']}/{path}").status_code == 404


def test_the_progress_of_all_needs_a_key(anonymous: Client) -> None:
    assert anonymous.get("/api/progress").status_code == 401


class TestProgressOfAll:
    def test_how_far_each_is_how_fast_and_who_runs_it(
        self, client: Client, pipeline: dict[str, Any], tenant: str, findings: Findings
    ) -> None:
        other = create_pipeline(client)
        findings.progress(pipeline["id"], 10, 25, partition=1)
        findings.progress(pipeline["id"], 0, 5, partition=0)
        findings.run(
            "INSERT INTO sentinel.leases (pipeline_id, tenant_id, holder, epoch, expires_at, details) "
            "VALUES (%s, %s, 'h', 1, now() + interval '1 hour', '{}')",
            (pipeline["id"], tenant),
        )
        for minutes_ago in (0, 1, 5, 6):
            findings.run(
                "INSERT INTO sentinel.detection_minutes (pipeline_id, tenant_id, minute, decided_count, dead_count) "
                "VALUES (%s, %s, date_trunc('minute', now()) - make_interval(mins => %s), 300, 0)",
                (pipeline["id"], tenant, minutes_ago),
            )
        found = client.get("/api/progress").json()
        assert [(each["pipeline_id"], each["decided_records"]) for each in found] == [
            (other["id"], 0),
            (pipeline["id"], 20),
        ]
        # Whole minutes, five of them; a minute that began in between makes it one of two.
        assert found[1]["per_second"] in {2.0, 1.0}
        assert found[1]["job"]["is_running"] is True
        assert found[0]["job"] is None

    def test_another_tenant_sees_its_own(self, stranger: Client, pipeline: dict[str, Any]) -> None:
        assert pipeline["id"] not in [each["pipeline_id"] for each in stranger.get("/api/progress").json()]


class TestProgress:
    def test_of_a_pipeline_that_never_ran(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.get(f"/api/pipelines/{pipeline['id']}/progress").json()
        assert answer == {"pipeline_id": pipeline["id"], "decided_records": 0, "partitions": [], "job": None}

    def test_with_a_job(self, client: Client, pipeline: dict[str, Any], tenant: str, findings: Findings) -> None:
        findings.progress(pipeline["id"], 10, 25, partition=1)
        findings.progress(pipeline["id"], 0, 5, partition=0)
        findings.run(
            "INSERT INTO sentinel.leases (pipeline_id, tenant_id, holder, epoch, expires_at, details) "
            "VALUES (%s, %s, 'h', 1, now() + interval '1 hour', '{\"spark_ui\": \"x\"}')",
            (pipeline["id"], tenant),
        )
        answer = client.get(f"/api/pipelines/{pipeline['id']}/progress").json()
        assert answer["decided_records"] == 20
        assert [(item["partition"], item["next_offset"]) for item in answer["partitions"]] == [(0, 5), (1, 25)]
        assert answer["job"].items() >= {"is_running": True, "holder": "h", "details": {"spark_ui": "x"}}.items()


class TestGenerations:
    def test_newest_first_with_borders(self, client: Client, pipeline: dict[str, Any], findings: Findings) -> None:
        old = findings.generation(pipeline["id"], "retired", [(0, 0, 50), (1, 0, 40)])
        new = findings.generation(pipeline["id"], "active", [(0, 50, None), (1, 40, None)])
        path = f"/api/pipelines/{pipeline['id']}/generations"
        answer = client.get(path).json()
        assert [item["id"] for item in answer] == [new, old]
        assert answer[0]["borders"][1] == {"partition": 1, "start_offset": 40, "end_offset": None}
        assert answer[1]["borders"][0] == {"partition": 0, "start_offset": 0, "end_offset": 50}
        first = client.get(path, params={"limit": 1})
        assert [item["id"] for item in client.get(first.links["next"]["url"]).json()] == [old]


class TestDeadLetters:
    def test_have_cause_and_raw_bytes(self, client: Client, pipeline: dict[str, Any], findings: Findings) -> None:
        findings.dead_letter(pipeline["id"], 7, "invalid_utf8", b"\xff{")
        findings.dead_letter(pipeline["id"], 8, "tombstone", None)
        newest, oldest = client.get(f"/api/pipelines/{pipeline['id']}/dead-letters").json()
        assert (newest["cause"], newest["raw_base64"], newest["raw_text"]) == ("tombstone", None, None)
        assert base64.b64decode(oldest["raw_base64"]) == b"\xff{"
        assert oldest.items() >= {"raw_text": "\ufffd{", "raw_size_bytes": 2, "kafka_offset": 7}.items()

    def test_by_cause_in_pages(self, client: Client, pipeline: dict[str, Any], findings: Findings) -> None:
        for offset in range(5):
            findings.dead_letter(pipeline["id"], offset, "not_json" if offset % 2 else "empty")
        path = f"/api/pipelines/{pipeline['id']}/dead-letters"
        first = client.get(path, params={"cause": "empty", "limit": 2})
        second = client.get(first.links["next"]["url"])
        assert [item["kafka_offset"] for item in first.json() + second.json()] == [4, 2, 0]
        assert "next" not in second.links


class TestScore:
    def verdict(self, client: Client, pipeline: dict[str, Any], event_id: str, **place: Any) -> dict[str, Any]:
        answer = client.get(f"/api/pipelines/{pipeline['id']}/scores/{quote(event_id, safe='')}", params=place)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def test_matched_by_redis(self, client: Client, pipeline: dict[str, Any], scores: ScoreStore) -> None:
        scores.write({"e1": 88}, {}, position=None)
        found = self.verdict(client, pipeline, "e1")
        assert found.items() >= {"event_id": "e1", "status": "matched", "score": 88, "source": "redis"}.items()

    def test_matched_by_postgresql_when_redis_has_forgotten(
        self, client: Client, pipeline: dict[str, Any], findings: Findings
    ) -> None:
        rules = [
            add_rule(client, pipeline["id"], f"amount > {n}", severity=s) for n, s in ((1, "critical"), (2, "warning"))
        ]
        for rule in rules:
            findings.alert(rule, "e1")
        found = self.verdict(client, pipeline, "e1")
        assert found.items() >= {"status": "matched", "score": 88, "source": "postgresql"}.items()
        assert found["rule_ids"] == [rule["id"] for rule in rules]

    def test_clean_by_redis(self, client: Client, pipeline: dict[str, Any], scores: ScoreStore) -> None:
        scores.write_clean(["e1"])
        found = self.verdict(client, pipeline, "e1")
        assert (found["status"], found["score"], found["source"]) == ("clean", 0, "redis")

    def test_an_alert_outweighs_a_clean_score(
        self, client: Client, pipeline: dict[str, Any], scores: ScoreStore, findings: Findings
    ) -> None:
        scores.write_clean(["e1"])
        findings.alert(add_rule(client, pipeline["id"]), "e1")
        assert self.verdict(client, pipeline, "e1")["status"] == "matched"

    def test_unknown_says_how_to_decide(self, client: Client, pipeline: dict[str, Any], findings: Findings) -> None:
        findings.progress(pipeline["id"], 0, 100)
        found = self.verdict(client, pipeline, "e1")
        assert (found["status"], found["score"]) == ("unknown", None)
        assert "partition and offset" in found["detail"]
        assert "score_every_event" in found["detail"]

    @pytest.mark.parametrize(("offset", "status"), [(99, "clean"), (100, "not_yet_seen"), (4, "unknown")])
    def test_the_place_of_the_record_decides(
        self, client: Client, pipeline: dict[str, Any], findings: Findings, offset: int, status: str
    ) -> None:
        findings.progress(pipeline["id"], 5, 100)
        assert self.verdict(client, pipeline, "e1", partition=0, offset=offset)["status"] == status

    def test_a_partition_that_was_never_read_is_not_yet_seen(
        self, client: Client, pipeline: dict[str, Any], findings: Findings
    ) -> None:
        findings.progress(pipeline["id"], 5, 100)
        assert self.verdict(client, pipeline, "e1", partition=3, offset=0)["status"] == "not_yet_seen"

    def test_a_dead_letter_is_said_to_be_one(
        self, client: Client, pipeline: dict[str, Any], findings: Findings
    ) -> None:
        findings.progress(pipeline["id"], 0, 100)
        findings.dead_letter(pipeline["id"], 7, "not_json")
        found = self.verdict(client, pipeline, "e1", partition=0, offset=7)
        assert (found["status"], found["score"]) == ("dead_letter", None)
        assert "not_json" in found["detail"]

    @pytest.mark.parametrize(
        ("event_id", "status"),
        [
            ("transactions/0/99", "clean"),
            ("transactions/0/100", "not_yet_seen"),
            ("other/0/1", "unknown"),
            ("transactions@1/0/1", "unknown"),
            ("transactions/0", "unknown"),
        ],
    )
    def test_an_id_that_is_the_place_decides_by_itself(
        self, client: Client, findings: Findings, event_id: str, status: str
    ) -> None:
        pipeline = create_pipeline(client, schema=NO_ID)
        findings.progress(pipeline["id"], 0, 100)
        assert self.verdict(client, pipeline, event_id)["status"] == status

    def test_a_place_in_the_id_means_nothing_where_events_have_ids(
        self, client: Client, pipeline: dict[str, Any], findings: Findings
    ) -> None:
        findings.progress(pipeline["id"], 0, 100)
        assert self.verdict(client, pipeline, "transactions/0/99")["status"] == "unknown"

    def test_a_pipeline_that_scores_every_event_needs_no_place(self, client: Client) -> None:
        pipeline = create_pipeline(client, config={"score_every_event": True})
        assert self.verdict(client, pipeline, "e1")["status"] == "not_yet_seen"

    def test_partition_and_offset_belong_together(self, client: Client, pipeline: dict[str, Any]) -> None:
        answer = client.get(f"/api/pipelines/{pipeline['id']}/scores/e1", params={"partition": 0})
        assert answer.status_code == 422
        assert "belong together" in answer.json()["detail"]

    def test_slashes_may_be_sent_as_they_are(self, client: Client, findings: Findings) -> None:
        pipeline = create_pipeline(client, schema=NO_ID)
        findings.progress(pipeline["id"], 0, 100)
        answer = client.get(f"/api/pipelines/{pipeline['id']}/scores/transactions/0/99")
        assert answer.json()["status"] == "clean"


class TestPositionOfScores:
    def test_a_redis_that_lost_its_data_meanwhile_is_told_no_position(
        self, scores: ScoreStore, settings: Settings
    ) -> None:
        assert scores.write({"a": 1}, {}, position=5, after=0)
        connect(settings.redis).delete(scores._position_key)
        assert not scores.write({"b": 1}, {}, position=9, after=5)
        assert scores.position() == 0
        assert scores.read([scores.event_key("b")]) == [None]
        assert scores.write({"a": 1, "b": 1}, {}, position=9, after=0)
        assert scores.position() == 9
