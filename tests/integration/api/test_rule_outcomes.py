"""What a job says of rules: outcomes by hour, quarantines, and their release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import Client

from sentinel.client import Client as ApiClient
from sentinel.domain.archive_commit import ArchiveCommit
from sentinel.domain.generation import Lease
from sentinel.domain.outcome import OutcomeCount
from sentinel.domain.quarantine import Culprit
from sentinel.errors import ConflictError, LeaseLostError
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.outcomes import Observed, OutcomeStore
from sentinel.stores.postgres.quarantines import QuarantineStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from tests.integration.api.conftest import add_rule, create_pipeline

pytestmark = pytest.mark.integration

CALLS = [
    ("GET", "/api/pipelines/{pipeline}/quarantines", None),
    ("GET", "/api/rules/{rule}/quarantines", None),
    ("GET", "/api/rules/{rule}/outcomes", None),
    ("GET", "/api/pipelines/{pipeline}/rule-figures", None),
    ("GET", "/api/rules/{rule}/cost", None),
    ("GET", "/api/rules/{rule}/trials", None),
    ("POST", "/api/rules/{rule}/release", {"comment": "mended"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anonymous_gets_401(anonymous: Client, method: str, path: str, body: Any) -> None:
    assert anonymous.request(method, path.format(pipeline=1, rule=1), json=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_tenant_gets_404(  # noqa: PLR0917 - three fixtures, three parameters
    client: Client, stranger: Client, pipeline: dict[str, Any], method: str, path: str, body: Any
) -> None:
    rule = add_rule(client, pipeline["id"])
    assert stranger.request(method, path.format(pipeline=pipeline["id"], rule=rule["id"]), json=body).status_code == 404


@pytest.fixture
def lease(database: Database, tenant: str, pipeline: dict[str, Any]) -> Lease:
    """The lease of the pipeline, as a job holds it."""
    held = LedgerStore(database, tenant).acquire_lease(pipeline["id"], "me", 60)
    assert held is not None
    return held


@pytest.fixture
def api(base_url: str, key_of: Callable[..., str], tenant: str) -> ApiClient:
    """The product's own client."""
    return ApiClient(base_url, api_key=key_of(tenant))


def quarantine(database: Database, tenant: str, lease: Lease, rule_id: int) -> None:
    snapshots = SnapshotStore(database, tenant)
    rules = {rule.rule_id: rule for rule in snapshots.current(lease.pipeline_id).rule_set.rules}
    culprit = Culprit(rules[rule_id], 3, 77, "java.lang.Error: injected \x00 ü")
    QuarantineStore(database, tenant).quarantine(lease, generation_id=9, source_epoch=0, culprits=[culprit])


def rules_in_force(database: Database, tenant: str, pipeline_id: int) -> list[int]:
    return [rule.rule_id for rule in SnapshotStore(database, tenant).current(pipeline_id).rule_set.rules]


class TestQuarantine:
    def test_it_leaves_the_rule_set_until_it_is_released(
        self, api: ApiClient, database: Database, tenant: str, lease: Lease
    ) -> None:
        bad = api.add_rule(lease.pipeline_id, "amount > 1", "critical", "bad")
        good = api.add_rule(lease.pipeline_id, "amount > 2", "critical", "good")
        quarantine(database, tenant, lease, bad.id)
        assert rules_in_force(database, tenant, lease.pipeline_id) == [good.id]
        (found,) = api.list_quarantines(lease.pipeline_id)
        assert (found.rule_id, found.rule_version, found.kafka_partition, found.kafka_offset) == (bad.id, 1, 3, 77)
        assert found.cause == "java.lang.Error: injected \ufffd ü"
        # Another change of the rules does not bring it back.
        third = api.add_rule(lease.pipeline_id, "amount > 3", "critical", "third")
        assert rules_in_force(database, tenant, lease.pipeline_id) == [good.id, third.id]
        api.release_rule(bad.id, "mended")
        assert rules_in_force(database, tenant, lease.pipeline_id) == [bad.id, good.id, third.id]
        (ended,) = api.list_rule_quarantines(bad.id)
        assert ended.comment == "mended"
        assert ended.released_at is not None
        assert "key:" in (ended.released_by or "")
        with pytest.raises(ConflictError, match="not in quarantine"):
            api.release_rule(bad.id)

    def test_a_new_version_runs_at_once(self, api: ApiClient, database: Database, tenant: str, lease: Lease) -> None:
        bad = api.add_rule(lease.pipeline_id, "amount > 1", "critical", "bad")
        quarantine(database, tenant, lease, bad.id)
        assert rules_in_force(database, tenant, lease.pipeline_id) == []
        api.change_rule(bad.id, "amount > 5", "critical", "better")
        assert rules_in_force(database, tenant, lease.pipeline_id) == [bad.id]
        # The version that broke the query stays out.
        quarantined = api.list_rule_quarantines(bad.id)
        assert [entry.released_at for entry in quarantined] == [None]

    def test_a_job_without_the_lease_takes_nothing_out(
        self, api: ApiClient, database: Database, tenant: str, lease: Lease
    ) -> None:
        rule = api.add_rule(lease.pipeline_id, "amount > 1", "critical", "fine")
        with pytest.raises(LeaseLostError):
            quarantine(database, tenant, Lease(lease.pipeline_id, "other", lease.epoch - 1), rule.id)
        assert rules_in_force(database, tenant, lease.pipeline_id) == [rule.id]
        assert api.list_quarantines(lease.pipeline_id) == []


class TestOutcomes:
    def test_counts_add_up_and_count_once(self, api: ApiClient, database: Database, tenant: str, lease: Lease) -> None:
        rule = api.add_rule(lease.pipeline_id, "country = 'DE'", "critical", "home")
        snapshot = SnapshotStore(database, tenant).current(lease.pipeline_id)
        (version,) = snapshot.rule_set.rules
        generation_id = LedgerStore(database, tenant).create_generation(lease, snapshot, reason="test", marker_every=1)
        commits = [ArchiveCommit(seq, generation_id, {0: (10 * seq, 10 * seq + 10)}) for seq in (1, 2)]
        with database.transaction(tenant) as tx:
            for commit in commits:
                tx.execute(
                    "INSERT INTO sentinel.archive_commits (pipeline_id, tenant_id, seq, generation_id, ranges, state)"
                    " VALUES (%s, %s, %s, %s, '{\"0\": [1, 2]}', 'committed')",
                    (lease.pipeline_id, tenant, commit.seq, generation_id),
                )
        store = OutcomeStore(database, tenant)
        assert [commit.seq for commit in store.unobserved(lease.pipeline_id, max_records=100)] == [1, 2]
        assert [commit.seq for commit in store.unobserved(lease.pipeline_id, max_records=1)] == [1]
        hour = int(datetime.now(UTC).timestamp()) // 3600
        ids = {version.rule_version_id: rule.id}
        first = {(version.rule_version_id, hour): OutcomeCount(10, 3, Counter(country=3))}
        second = {(version.rule_version_id, hour): OutcomeCount(10, 2, Counter(country=1, amount=1))}
        store.record(lease, commits[:1], Observed(ids, counts=first))
        store.record(lease, commits[:1], Observed(ids, counts=first))
        store.record(lease, commits[1:], Observed(ids, counts=second))
        assert store.unobserved(lease.pipeline_id, max_records=100) == []
        (found,) = api.list_rule_outcomes(rule.id)
        assert (found.evaluated, found.unknown, found.matched, found.not_matched) == (20, 5, 0, 15)
        assert found.missing == {"country": 4, "amount": 1}
        (figures,) = api.list_rule_figures(lease.pipeline_id)
        assert (figures.rule_id, figures.evaluated, figures.unknown, figures.matched) == (rule.id, 20, 5, 0)
        assert (figures.microseconds, figures.last_alert_at) == (None, None)
        store.keep_cost(lease, version, microseconds=1.5, sampled_events=9)
        assert [each.microseconds for each in api.list_rule_figures(lease.pipeline_id)] == [1.5]

    def test_figures_of_all_rules_but_archived_ones_in_one_answer(
        self, api: ApiClient, client: Client, pipeline: dict[str, Any]
    ) -> None:
        kept, gone = add_rule(client, pipeline["id"]), add_rule(client, pipeline["id"], "amount > 2")
        api.set_rule_state(gone["id"], "archived")
        add_rule(client, create_pipeline(client)["id"])
        assert [each.rule_id for each in api.list_rule_figures(pipeline["id"])] == [kept["id"]]

    @pytest.mark.parametrize("hours", ["0", "745", "x"])
    def test_a_span_that_makes_no_sense_is_refused(self, client: Client, pipeline: dict[str, Any], hours: str) -> None:
        rule = add_rule(client, pipeline["id"])
        assert client.get(f"/api/rules/{rule['id']}/outcomes", params={"hours": hours}).status_code == 422
        path = f"/api/pipelines/{pipeline['id']}/rule-figures"
        assert client.get(path, params={"hours": hours}).status_code == 422
