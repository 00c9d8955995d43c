"""An event by HTTP -> Kafka -> rule -> alert -> a signed webhook that a receiver verifies."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx import Client
from standardwebhooks import Webhook, WebhookVerificationError

from config_api.app import create_app
from sentinel.settings import Settings
from sentinel.testing.http import serve
from tests.docs.test_notifications_guide import VERIFIERS
from tests.support.detection import Workbench
from tests.support.receivers import HttpReceiver, http_receiver
from tests.support.verifiers import CannotBeHadError, prepare_go, prepare_js, verify

pytestmark = pytest.mark.integration

LOOPBACK = "127.0.0.0/8"
Accepts = Callable[[Mapping[str, str], bytes], bool]


def with_loopback(settings: Settings) -> Settings:
    """Return settings under which channels may lead to this machine."""
    notify = settings.notify.model_copy(update={"allowed_networks": LOOPBACK})
    return settings.model_copy(update={"notify": notify})


@contextmanager
def worker(bench: Workbench) -> Iterator[subprocess.Popen[bytes]]:
    """Run the worker process."""
    job = bench.start_notifier(SENTINEL_NOTIFY__ALLOWED_NETWORKS=LOOPBACK)
    try:
        yield job.process
    except BaseException:
        job.kill()
        raise
    assert job.stop() == 0, job.tail()


def python_receiver(secret: str) -> Accepts:
    """Return what says whether the official library for Python takes a delivery."""

    def accepts(headers: Mapping[str, str], body: bytes) -> bool:
        try:
            Webhook(secret).verify(body, dict(headers))
        except WebhookVerificationError:
            return False
        return True

    return accepts


def script(prepare: Callable[[Path, str], list[str]], language: str, secret: str, parent: Path) -> Accepts:
    """Return what says whether the official library for another language takes a delivery, by the guide's receiver."""
    directory = Path(tempfile.mkdtemp(prefix="verifier-", dir=parent))
    try:
        command = prepare(directory, VERIFIERS[language])
    except CannotBeHadError as error:
        pytest.skip(str(error))

    def accepts(headers: Mapping[str, str], body: bytes) -> bool:
        return verify(command, directory, secret=secret, headers=headers, body=body)[0]

    return accepts


class TestTheWholeWay:
    """Events in, signed webhooks out."""

    def test_what_arrives_is_verified_by_the_official_libraries(self, bench: Workbench, tmp_path: Path) -> None:
        with (
            http_receiver() as receiver,
            serve(create_app(with_loopback(bench.settings))) as url,
            Client(base_url=url, timeout=30) as caller,
            worker(bench),
        ):
            secrets = [self._channel(caller, receiver), self._rotated(caller)]
            first = caller.post("/events", json={"type": "order", "amount": 1, "user_id": "u-0"})
            pipeline_id = first.json()["items"][0]["pipeline_id"]
            self._rule(caller, pipeline_id)
            with bench.job(pipeline_id) as job:
                bench.wait_generation(pipeline_id, job)
                events = [{"type": "order", "id": f"o-{n}", "amount": 600 + n, "user_id": "Zoë"} for n in range(20)]
                assert caller.post("/events", json=events).json()["accepted"] == 20
                bench.wait_until("every webhook has come", lambda: len(receiver.received) >= 20, job, timeout=60)
            alerts = {alert["event_id"]: alert for alert in caller.get("/api/alerts").json()}
            bodies = [json.loads(request.body) for request in receiver.received]
            assert {body["alert_id"] for body in bodies} == {alert["id"] for alert in alerts.values()}
            assert {body["severity"] for body in bodies} == {"critical"}
            assert len({request.headers["webhook-id"] for request in receiver.received}) == 20
            for alert in alerts.values():
                why = caller.get(f"/api/alerts/{alert['id']}/why").json()
                assert [step["outcome"] for step in why["steps"]] == ["routed", "sent"]
                assert why["summary"] == "Sent to crm."
        for secret in secrets:
            for accepts in (
                python_receiver(secret),
                script(prepare_js, "js", secret, tmp_path),
                script(prepare_go, "go", secret, tmp_path),
            ):
                for request in receiver.received[:3]:
                    assert accepts(request.headers, request.body)
                assert not accepts(receiver.received[0].headers, receiver.received[0].body + b" ")

    @staticmethod
    def _channel(caller: Client, receiver: HttpReceiver) -> str:
        body = {"name": "crm", "kind": "webhook", "options": {"url": f"{receiver.url}/hooks"}}
        made = caller.post("/api/channels", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["new_secret"])

    @staticmethod
    def _rotated(caller: Client) -> str:
        made = caller.post("/api/channels/crm/secrets", json={})
        assert made.status_code == 201, made.text
        return str(made.json()["new_secret"])

    @staticmethod
    def _rule(caller: Client, pipeline_id: int) -> dict[str, Any]:
        rule = {
            "rule_expression": 'when event.type == "order" and amount > 500 then notify("webhook:crm")',
            "severity": "critical",
            "description": "big order",
        }
        made = caller.post(f"/api/pipelines/{pipeline_id}/rules", json=rule)
        assert made.status_code == 201, made.text
        return dict(made.json())
