"""How long an explanation takes over HTTP once the rule worker is warm; run as `python -m tests.bench.explain`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from config_api.app import create_app
from sentinel.client import Client
from sentinel.clock import monotonic_seconds
from sentinel.domain.api_key import Scope
from sentinel.testing.http import serve
from sentinel.testing.servers import start_servers
from tests.support.detection import Workbench, payment

TENANT = "default"
CONDITION = "amount > 1000 AND user_id <> 'u9' OR amount IS NULL"


def main() -> None:
    """Archive some events, explain them one after the other, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=30)
    requests = parser.parse_args().requests
    with TemporaryDirectory() as directory, start_servers(Path(directory) / "home") as servers:
        bench = Workbench(servers, TENANT, Path(directory), as_shipped=True)
        topic = bench.create_topic(1)
        pipeline_id = bench.create_pipeline(topic, {"large": CONDITION})
        bench.send(topic, [payment(number) for number in range(1_000)])
        with bench.job(pipeline_id) as job:
            bench.wait_settled(pipeline_id, topic, job)
        with bench.backend.unit(TENANT, "bench") as unit:
            (rule,) = unit.rules.list(pipeline_id)
            key = unit.keys.create("bench", [Scope.READ])[1]
        worker = servers.settings.worker.model_copy(update={"answer_seconds": 120.0})
        settings = servers.settings.model_copy(update={"worker": worker})
        with (
            bench.worker(),
            serve(create_app(settings)) as url,
            Client(url, api_key=key, timeout_seconds=150) as client,
        ):
            seconds = []
            for number in range(requests + 10):
                began = monotonic_seconds()
                client.explain(pipeline_id, rule.id, str(number))
                seconds.append(monotonic_seconds() - began)
        bench.close()
    warm = seconds[10:]
    figures = {"first": seconds[0], "median": median(warm), "max": max(warm)}
    print(json.dumps({"requests": len(warm), **{name: round(figure, 3) for name, figure in figures.items()}}))


if __name__ == "__main__":
    main()
