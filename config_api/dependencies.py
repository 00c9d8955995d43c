"""What endpoints ask for: a unit of work for reading or writing, expected versions, idempotent answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from config_api.access import Caller, identify, may
from sentinel.catalog.engine_tasks import EngineDesk
from sentinel.domain.api_key import Scope
from sentinel.domain.engine_task import TaskKind
from sentinel.errors import EngineUnavailableError, InvalidError
from sentinel.stores.base import AnswerStore, StoredAnswer
from sentinel.wiring import Backend, Unit

MAX_ID = 2**63 - 1
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ETAG = re.compile(r'(?:W/)?"?(\d{1,18})"?')

PipelineId = Annotated[int, Path(ge=1, le=MAX_ID, description="The pipeline.", examples=[1])]
RuleId = Annotated[int, Path(ge=1, le=MAX_ID, description="The rule.", examples=[1])]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write answers.

    Attributes:
        etag: The version of the thing after the write, for `If-Match`.
        kept: What is kept for a repetition of the request, where the body holds what is shown only once.
    """

    body: BaseModel
    etag: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    kept: BaseModel | None = None


def _reader(caller: Annotated[Caller, Depends(identify)]) -> Caller:
    return may(Scope.READ, caller)


def _writer(caller: Annotated[Caller, Depends(identify)]) -> Caller:
    return may(Scope.WRITE, caller)


def _read_unit(request: Request, caller: Annotated[Caller, Depends(_reader)]) -> Iterator[Unit]:
    backend: Backend = request.app.state.backend
    with backend.unit(caller.tenant_id, caller.name) as unit:
        yield unit


def _write_unit(request: Request, caller: Annotated[Caller, Depends(_writer)]) -> Iterator[Unit]:
    backend: Backend = request.app.state.backend
    with backend.unit(caller.tenant_id, caller.name) as unit:
        yield unit


# For what must not wait with a transaction open.
WritingCaller = Annotated[Caller, Depends(_writer)]

# One request, one transaction. "function": it is committed before the answer is sent, so a failed commit is an error.
Reading = Annotated[Unit, Depends(_read_unit, scope="function")]
Writing = Annotated[Unit, Depends(_write_unit, scope="function")]


async def _raw_body(request: Request) -> bytes:
    return await request.body()


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks the engine: no transaction may be open while the answer is waited for.

    Attributes:
        desk: Where it is asked.
        unit: Opens a short unit of work, for what is looked up before.
    """

    desk: EngineDesk
    unit: Callable[[], AbstractContextManager[Unit]]


Looking = Annotated[Caller, Depends(_reader)]


def _asker(request: Request, caller: Annotated[Caller, Depends(_reader)]) -> Asker:
    backend: Backend = request.app.state.backend
    return Asker(backend.desk(caller.tenant_id, caller.name), lambda: backend.unit(caller.tenant_id, caller.name))


Asking = Annotated[Asker, Depends(_asker)]


@dataclass(frozen=True, slots=True)
class Worker:
    """Somebody whose work takes longer than a transaction may.

    Attributes:
        unit: Opens a short unit of work, for what is looked up before.
    """

    tenant_id: str
    name: str
    unit: Callable[[], AbstractContextManager[Unit]]


def _worker(request: Request, caller: Annotated[Caller, Depends(_writer)]) -> Worker:
    backend: Backend = request.app.state.backend
    return Worker(caller.tenant_id, caller.name, lambda: backend.unit(caller.tenant_id, caller.name))


Working = Annotated[Worker, Depends(_worker)]


def _tests_run(
    request: Request,
    caller: Annotated[Caller, Depends(_writer)],
    rule_id: RuleId,
    raw: Annotated[bytes, Depends(_raw_body)],
) -> None:
    """Have a rule's tests run with what is to be published, before the transaction that publishes it begins.

    A rule without tests, or whose tests were run with exactly this, does not wait for the rule worker.

    Raises:
        EngineUnavailableError: The rule worker does not answer in time; nothing was changed.
    """
    backend: Backend = request.app.state.backend
    wanted = _members(raw)
    expression, version, state = wanted.get("rule_expression"), wanted.get("version"), wanted.get("state")
    with backend.unit(caller.tenant_id, caller.name) as unit:
        condition = unit.tests.waits_for_run(
            rule_id,
            rule_expression=expression if isinstance(expression, str) else None,
            version=version if type(version) is int and 0 < version < 2**31 else None,
            candidate=request.url.path.endswith(("/candidate/state", "/promote")),
            activates=wanted.get("is_active") is True
            or (isinstance(state, str) and state in {"active", "rollout"})
            or request.url.path.endswith("/promote"),
        )
        pipeline_id = unit.tests.pipeline_of(rule_id) if condition is not None else 0
    if condition is None:
        return
    try:
        asked = {"rule": rule_id, "rule_expression": condition}
        backend.desk(caller.tenant_id, caller.name).ask(pipeline_id, TaskKind.TEST, asked)
    except EngineUnavailableError as error:
        raise EngineUnavailableError(
            f"the tests of rule {rule_id} must pass before it is published, and {error.message}"
        ) from error


def _members(raw: bytes) -> dict[str, Any]:
    """Return the members of a JSON object; nothing where the body is none, which its endpoint will say."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


TestsRun = Annotated[None, Depends(_tests_run)]


def _expected_version(
    if_match: Annotated[
        str | None, Header(description='The ETag of the version this change was made for, e.g. `"3"`.')
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidError(f'If-Match {if_match!r} is not an ETag of ours; send back one as it came, e.g. "3"')
    return int(found[1])


ExpectedVersion = Annotated[int | None, Depends(_expected_version)]


RawBody = Annotated[bytes, Depends(_raw_body)]


class Once:
    """Does a write once per `Idempotency-Key`: the same request again gets the answer that was kept.

    The answer is kept in the write's own transaction, so there is one exactly when the write happened.
    """

    def __init__(self, answers: AnswerStore, key: str | None, request_hash: bytes) -> None:
        self._answers = answers
        self._key = key
        self._request_hash = request_hash

    def run(self, work: Callable[[], Answer], *, status: int = 200) -> Response:
        """Do the work, or repeat its answer.

        Raises:
            InvalidError: The key was used for another request.
        """
        kept = self._answers.claim(self._key) if self._key else None
        if kept is not None:
            if kept.request_hash != self._request_hash:
                raise InvalidError(
                    f"the Idempotency-Key {self._key!r} was used for another request; use a new one for each write"
                )
            return JSONResponse(kept.body, kept.status, {**kept.headers, "Idempotency-Replayed": "true"})
        answer = work()
        headers = dict(answer.headers)
        if answer.etag is not None:
            headers["ETag"] = etag(answer.etag)
        body = answer.body.model_dump(mode="json", by_alias=True)
        if self._key:
            kept_body = body if answer.kept is None else answer.kept.model_dump(mode="json", by_alias=True)
            self._answers.keep(self._key, StoredAnswer(self._request_hash, status, headers, kept_body))
        return JSONResponse(body, status, headers)


def _once(
    request: Request,
    unit: Writing,
    body: RawBody,
    idempotency_key: Annotated[
        str | None, Header(description="Any text that is new for each write; makes repeating it harmless.")
    ] = None,
) -> Once:
    idempotency_key = idempotency_key_of(idempotency_key)
    target = f"{request.method} {request.url.path}?{request.url.query}"
    content = json.dumps([target, request.headers.get("if-match"), hashlib.sha256(body).hexdigest()])
    return Once(unit.answers, idempotency_key, hashlib.sha256(content.encode()).digest())


def idempotency_key_of(given: str | None) -> str | None:
    """Return the header's value.

    Raises:
        InvalidError: It cannot be one.
    """
    if given is not None and not _IDEMPOTENCY_KEY.fullmatch(given):
        raise InvalidError("an Idempotency-Key has 1 to 255 visible ASCII characters")
    return given


OnlyOnce = Annotated[Once, Depends(_once, scope="function")]


def etag(version: int) -> str:
    """Return a version as an entity tag."""
    return f'"{version}"'


def next_link(request: Request, **changed: Any) -> dict[str, str]:
    """Return the header that leads to the next page (RFC 8288)."""
    url = request.url.include_query_params(**changed)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}
