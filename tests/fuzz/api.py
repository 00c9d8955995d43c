"""Requests that the API's own description suggests.

Schemathesis makes them, good and bad, from the OpenAPI document; servers are real. Each answer is judged (`CHECKS`).
"""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from httpx import Client

from config_api.app import create_app
from sentinel.domain.api_key import Scope
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.http import serve
from sentinel.testing.servers import ServerSet
from sentinel.wiring import Backend
from tests.fuzz import requests
from tests.fuzz.api_world import World, make_world
from tests.support.detection import Workbench

SLOWEST_SECONDS = 20.0
# What each answer must be.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "allow_header_conformance",
    "ignored_auth",
)
# What a product that knows more than a schema can say does not fulfil, and why.
OFF = {
    "negative_data_rejection": "a number is taken for a time, and its text for a number: what can be read is read",
    "unsupported_method": "PUT /api/rules/check is a change of the rule `check`, and no number is of that name: 422",
    "positive_data_acceptance": "a rule that names no field, a name that is taken, a list that is not there: a schema "
    "cannot say it, and they are refused",
    "use_after_free": "what is deleted and asked for again under its name may have been made anew in between",
    "ensure_resource_availability": "another request of the same run may have deleted what was just made",
    "object_level_authorization": "needs to know whose each id is; the test of every resource asks as another tenant",
}
# They wait for the rule worker, without which they answer 503, as they should.
NEED_ENGINE = r"/(explain|tests/run|dead-letters/\{letter_id\}/(check|redrive)|dead-letters/redrive)$"
# They wait for it where a rule with tests would be published.
MAY_NEED_ENGINE = r"/rules/\{rule_id\}(/(status|state|promote|rollback|candidate/state))?$"


@dataclass
class Outcome:
    """What a run found.

    Attributes:
        caller: What the key may do.
        requests: How many were sent, to so many operations.
        statuses: How often each status was answered.
        failures: What must not be, each with the request that shows it.
    """

    caller: str
    seed: int
    operations: int = 0
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def server_errors(self) -> int:
        """How many answers were of class 5."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.failures and not self.server_errors

    def note(self, case: dict[str, Any]) -> None:
        """Count a request and its answer."""
        self.requests += 1
        if response := case.get("response"):
            self.statuses[response["status_code"]] += 1
            self.slowest_seconds = max(self.slowest_seconds, response["elapsed"])

    def summary(self) -> str:
        """Return it as text."""
        answered = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        head = f"seed {self.seed}: {self.requests} requests to {self.operations} operations, slowest "
        return "\n".join(
            [f"{head}{self.slowest_seconds:.1f} s: {answered}", f"failures: {len(self.failures)}", *self.failures]
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """A tenant with one of everything."""

    tenant_id: str
    world: World


class Campaign:
    """The API, on real servers; each run is of a tenant of its own.

    Args:
        with_engine: Start a rule worker, and ask also what needs it.
    """

    def __init__(self, servers: ServerSet, directory: Path, *, with_engine: bool) -> None:
        self._directory = directory
        self._with_engine = with_engine
        self._opened = ExitStack()
        settings = servers.settings
        changed: dict[str, object] = {"api": settings.api.model_copy(update={"open": False})}
        if not with_engine:
            # Nobody answers, and each of a hundred requests that ask it would wait.
            changed["worker"] = settings.worker.model_copy(update={"answer_seconds": 0.2})
        self._settings = settings.model_copy(update=changed)
        self._servers = servers

    def __enter__(self) -> Campaign:
        with self._opened:
            self._backend = Backend(self._settings)
            self._backend.open()
            self._opened.callback(self._backend.close)
            self._database = Database(self._settings.postgres, pool_size=2)
            self._database.open()
            self._opened.callback(self._database.close)
            self._url = self._opened.enter_context(serve(create_app(self._settings)))
            self._opened = self._opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def run(self, scope: Scope, *, seed: int, examples: int, seconds: int | None = None) -> Outcome:
        """Make requests from the description, with a key of this scope.

        Args:
            examples: Requests made up at random for each operation, besides those at the borders of its description.
            seconds: Make up more until so much time is over.
        """
        with self._ground() as ground:
            report = self._directory / f"{ground.tenant_id}.ndjson"
            config = report.with_suffix(".toml")
            config.write_text(_config(ground.world, self._key(ground, scope), seed, examples, self._with_engine))
            command = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run"]
            command += [f"{self._url}/openapi.json", "--report", "ndjson", "--report-ndjson-path", str(report)]
            if seconds is not None:
                command += ["--max-time", str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._directory)
            return _outcome(scope, seed, report, done)

    def spoil(self, *, seed: int, share: float = 1.0, seconds: float = float("inf")) -> requests.Outcome:
        """Make the hostile requests of our own, or a share of them that the seed chooses."""
        chance = random.Random(seed)
        with self._ground() as ground, self._client(ground) as client:
            described = client.get("/openapi.json").json()
            if not self._with_engine:
                kept = {path: of for path, of in described["paths"].items() if not re.search(NEED_ENGINE, path)}
                described["paths"] = kept
            spoiled = requests.spoiled(described, ground.world)
            chosen = [each for each in spoiled if chance.random() < share]
            # Mixed, so that what there is time for is of every kind.
            chance.shuffle(chosen)
            return requests.run(client, iter(chosen), seconds=seconds, with_engine=self._with_engine)

    @contextmanager
    def _ground(self) -> Iterator[Ground]:
        tenant_id = f"f{uuid.uuid4().hex[:12]}"
        ensure_tenant(self._settings.postgres, tenant_id, "fuzz")
        ground = Ground(tenant_id, {})
        with ExitStack() as opened:
            if self._with_engine:
                bench = Workbench(self._servers, tenant_id, self._directory)
                opened.callback(bench.close)
                bench.start_worker()
            with self._client(ground) as client:
                ground.world.update(make_world(client, self._database, tenant_id))
                if self._with_engine:
                    bench.wait_until("the rule worker answers", lambda: _explains(client, ground.world))
            yield ground

    def _client(self, ground: Ground) -> Client:
        headers = {"Authorization": f"Bearer {self._key(ground, Scope.ADMIN)}"}
        return Client(base_url=self._url, headers=headers, timeout=60)

    def _key(self, ground: Ground, scope: Scope) -> str:
        with self._backend.unit(ground.tenant_id, "fuzz") as unit:
            return unit.keys.create("fuzz", [scope])[1]


def _explains(client: Client, world: World) -> bool:
    asked = {"event": "nothing", "rule": world["rule_id"][0]}
    return client.get(f"/api/pipelines/{world['pipeline_id'][0]}/explain", params=asked).status_code != 503


def _config(world: World, key: str, seed: int, examples: int, with_engine: bool) -> str:
    """Return Schemathesis' configuration."""
    lines = [
        f"seed = {seed}",
        "continue-on-failure = true",
        # One at a time: with the same seed the same happens.
        "workers = 1",
        "color = false",
        # About the description; looking for them ends with an error of its own.
        "warnings = false",
        f"headers = {{ Authorization = {json.dumps(f'Bearer {key}')} }}",
        "request-timeout = 30.0",
        "[generation]",
        f"max-examples = {examples}",
        "no-shrink = true",
        'database = "none"',
        "allow-x00 = true",
        "[checks]",
        "enabled = false",
        *(f"{check}.enabled = true" for check in CHECKS),
        f"max_response_time = {SLOWEST_SECONDS}",
        "[dictionaries]",
        *(f"{name} = {{ values = {json.dumps(values)} }}" for name, values in world.items() if values),
        "[parameters]",
        *(
            f'"path.{name}" = {{ dictionary = "{name}", probability = 0.75 }}'
            for name, values in world.items()
            if values
        ),
    ]
    if not with_engine:
        for pattern in (NEED_ENGINE, MAY_NEED_ENGINE):
            lines += ["[[operations]]", f"include-path-regex = {json.dumps(pattern)}", "enabled = false"]
    return "\n".join(lines)


def _outcome(scope: Scope, seed: int, report: Path, done: subprocess.CompletedProcess[str]) -> Outcome:
    """Read what Schemathesis reported: one line of JSON for each thing that happened."""
    outcome = Outcome(str(scope), seed)
    labels: set[str] = set()
    seen: set[tuple[str, str, str]] = set()
    for line in report.read_text().splitlines() if report.exists() else ():
        ((kind, event),) = json.loads(line).items()
        if kind == "NonFatalError":
            outcome.failures.append(f"it cannot be asked: {json.dumps(event)[:400]}")
        if kind != "ScenarioFinished":
            continue
        recorded = event["recorder"]
        for case in recorded.get("interactions", {}).values():
            outcome.note(case)
        for identifier, checks in recorded.get("checks", {}).items():
            labels.add(recorded["label"])
            for check in checks:
                if check["status"] == "failure" and not _is_refused_by_server(recorded["interactions"][identifier]):
                    failure = check["failure_info"]["failure"]
                    told = (recorded["label"], check["name"], str(failure.get("title")))
                    if told not in seen:
                        seen.add(told)
                        outcome.failures.append(_told(told, failure, recorded["interactions"][identifier]))
    outcome.operations = len({label for label in labels if label.split(" ")[0].isupper()})
    # 1: there are failures. Anything else is no campaign.
    if done.returncode not in {0, 1} or not outcome.requests:
        outcome.failures.append(f"it ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return outcome


def _is_refused_by_server(case: dict[str, Any]) -> bool:
    """Whether the HTTP server refused it before the API saw it: it is no HTTP."""
    response = case.get("response") or {}
    content = base64.b64decode((response.get("content") or {}).get("$base64", ""))
    return response.get("status_code") == 400 and content == requests.NO_HTTP


def _told(told: tuple[str, str, str], failure: dict[str, Any], case: dict[str, Any]) -> str:
    request, response = case["request"], case.get("response") or {}
    body = base64.b64decode((request.get("body") or {}).get("$base64", "")) if request.get("body") else b""
    content = base64.b64decode((response.get("content") or {}).get("$base64", "")) if response.get("content") else b""
    headers = {name: value for name, value in request["headers"].items() if "uthorization" not in name}
    return (
        f"{' | '.join(told)} | {str(failure.get('message'))[:300]}\n    {request['method']} {request['uri'][:300]} "
        f"{headers} {body[:300]!r}\n    -> {response.get('status_code')} {content[:300]!r}"
    )
