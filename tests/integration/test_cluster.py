"""The same job on a standalone Spark master and worker."""

from __future__ import annotations

import pytest

from sentinel.localstack.cluster import start_cluster, stop_cluster
from tests.support.detection import Workbench, payment
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


def test_the_job_runs_on_a_cluster(bench: Workbench) -> None:
    stack = bench.servers.stack
    master = start_cluster(stack, cores=6)
    try:
        topic = bench.create_topic(2)
        pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
        bench.send(topic, [*(payment(number) for number in range(1_000)), b"not json"])
        with bench.job(pipeline_id, master=master) as job:
            bench.wait_decided(pipeline_id, topic, job)
            bench.add_rule(pipeline_id, "user 7", "user_id = 'u7'")
            bench.wait_until(
                "the new rule is in force", lambda: len(bench.generations(pipeline_id, "active", "retired")) == 2, job
            )
            bench.send(topic, [payment(number) for number in range(1_000, 2_000)])
            bench.wait_settled(pipeline_id, topic, job)
            (row,) = bench.query(
                "SELECT details->>'master' AS master FROM sentinel.leases WHERE pipeline_id = %s", pipeline_id
            )
            assert row["master"] == master
        assert bench.alerts_by_rule(pipeline_id) == {"large": 20, "user 7": 20}
        assert_reconciled(bench, pipeline_id)
    finally:
        stop_cluster(stack)
