"""Stores that are away for a while under flow."""

from __future__ import annotations

import pytest

from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

AWAY_SECONDS = 20


@pytest.mark.parametrize("store", ["postgres", "redis", "s3"])
def test_an_outage_of_20_seconds_under_flow_loses_and_doubles_nothing(bench: Workbench, store: str) -> None:
    topic = bench.create_topic()
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
    steps: list[str] = []
    meanwhile: dict[str, int] = {}

    def until(_sent: int, seconds: float) -> bool:
        if seconds > 3 and not steps:
            steps.append("stop")
            bench.servers.stop(store)
        if seconds > 3 + AWAY_SECONDS and len(steps) == 1:
            steps.append("start")
            if store == "s3":
                meanwhile.update(bench.alerts_by_rule(pipeline_id))
            bench.servers.start(store)
        return seconds > 5 + AWAY_SECONDS

    with bench.job(pipeline_id) as job:
        bench.wait_generation(pipeline_id, job)
        try:
            sent = bench.send_steadily(topic, 500, until)
        finally:
            bench.servers.start(store)
        bench.wait_settled(pipeline_id, topic, job)
        if store == "s3":  # the alert path has nothing to do with the lake
            assert meanwhile["large"] > 3 * AWAY_SECONDS
        bench.wait_until(
            "every alerted event has its score",
            lambda: len(bench.redis.keys(f"{bench.tenant_id}:{pipeline_id}:fraud:txn:*")) == (sent + 99) // 100,
            job,
            timeout=30,
        )
        assert_reconciled(bench, pipeline_id)
    assert bench.alerts_by_rule(pipeline_id) == {"large": (sent + 99) // 100}
