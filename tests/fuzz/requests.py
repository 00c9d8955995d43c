"""Hostile requests of our own: each parameter, each header and each part of a valid body, spoiled one at a time.

A generator that works from a schema keeps to what JSON libraries and URLs can say by themselves. Here are halves of
surrogate pairs, numbers of thousands of digits, bytes that are no UTF-8, bodies nested without end, and headers that no
client library would send.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import quote

from httpx import Client, HTTPError

from tests.fuzz.api_world import World, bodies

SLOWEST_SECONDS = 20.0
NO_HTTP = b"Invalid HTTP request received."
"""What the HTTP server answers with 400 before the API sees anything."""
MOST_FINDINGS = 60
# JSON texts that take the place of a value in a valid body.
TOKENS = (
    '"\\ud800"', '"x\\udc00y"', '"\\u0000"', '""', '" "', '"\\u202e\\u2028"', '"' + "x" * 70_000 + '"',
    '"\U0001f4b3"', "null", "true", "[]", "{}", "9223372036854775808", "-1", "0", "1e400", "1" + "0" * 400,
    "1" * 5_000, "2147483648", "1.5", "-0.0", "[[]]", '{"a":{}}', '"1"', '"\'; --"', "[" * 2_000 + "]" * 2_000,
    '{"\\ud800":1}', '{"\\u0000":1}', '["\\ud800"]', '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59-18:00"', "NaN",
    '"-infinity"',
)  # fmt: skip
# What takes the place of a part of an address, percent-encoded by hand.
PARTS = (
    "%00", "%ff%fe", "%ED%A0%80", "%F0%9F%92%B3", "x" * 2_000, "-1", "0", "9223372036854775807",
    "9223372036854775808", "1" * 5_000, "1e3", "%2e%2e%2f", "a%2Fb", "%20", "%E2%80%AE", "NaN", "true",
    "%27%20OR%201=1", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59%2B23:59", "0001-01-01T00:00:00%2B23:59", "%0a",
    "%25", "%C3%28",
)  # fmt: skip
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"If-Match", b"3"), (b"If-Match", b'"999999999999999999"'), (b"If-Match", b'"9999999999999999999999"'),
    (b"If-Match", b"\xff"), (b"If-Match", b'W/"1", "2"'), (b"If-Match", b""),
    (b"If-Match", b'"' + b"1" * 5_000 + b'"'), (b"If-Match", "\"\u0661\"".encode()), (b"Idempotency-Key", b""),
    (b"Idempotency-Key", b"\xe9"), (b"Idempotency-Key", b"k" * 256), (b"Idempotency-Key", b"a b"),
    (b"Idempotency-Key", b"\x80\xff"), (b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"br"),
    (b"Content-Encoding", b"gzip, gzip"), (b"Content-Encoding", b"\xff"), (b"Content-Encoding", b"zstd"),
    (b"Content-Type", b"application/json; charset=utf-16"), (b"Content-Type", b"text/plain"),
    (b"Content-Type", b"\xff/\xff"), (b"Content-Type", b"multipart/form-data"),
    (b"Content-Type", b"application/x-www-form-urlencoded"), (b"Content-Type", b"application/cloudevents+json"),
    (b"Content-Type", b"application/x-ndjson"), (b"X-Request-Id", b"\xff" * 50), (b"X-Request-Id", b"x" * 5_000),
    (b"traceparent", b"00-zz"), (b"traceparent", b"\xff"), (b"Accept", b"\xff"), (b"Authorization", b"Bearer"),
    (b"Authorization", b"Bearer \xff\xfe"), (b"Authorization", b"Basic e30="), (b"X-API-Key", b"\xff"),
    (b"X-API-Key", b"x" * 10_000), (b"X-Sentinel-Pipeline", b"\xff"), (b"X-Sentinel-Pipeline", b"9" * 400),
    (b"ce-id", b"%ff%00"), (b"ce-specversion", b"1.0"), (b"Stripe-Signature", b"t=\xff,v1=\xff"),
    (b"Stripe-Signature", b"t=99999999999999999999,v1=00"), (b"Sec-Fetch-Site", b"cross-site"),
    (b"Accept-Encoding", b"\xff"), (b"Range", b"bytes=0-"),
)  # fmt: skip
BODIES = (
    b"", b"{", b"null", b"[]", b"\xff\xfe", b"\x00", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"a":' * 20_000,
    b"[" * 100_000, b"1" * 10_000, b'"\\ud800"', b'{"\\ud800":"\\ud800"}',
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as it goes over the wire."""

    method: str
    path: str
    body: bytes | None = None
    header: tuple[bytes, bytes] | None = None


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        statuses: How often each status was answered.
        findings: What must not be, each with its request.
    """

    requests: int = 0
    slowest_seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return it as text."""
        answered = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        told = [f"  {found}" for found in self.findings[:MOST_FINDINGS]]
        return "\n".join(
            [f"{self.requests} requests, slowest {self.slowest_seconds:.1f} s: {answered}",
             f"findings: {len(self.findings)}", *told]
        )  # fmt: skip


def spoiled(described: dict[str, Any], world: World) -> Iterator[Request]:
    """Yield every request that is made of the API's description and of valid bodies."""
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            parameters = operation.get("parameters", [])
            yield from _addresses(method.upper(), path, parameters, world)
    for method, path, body in bodies(world):
        for token in TOKENS:
            for text in _with_token(body, token):
                yield Request(method, path, text.encode())
        for raw in BODIES:
            yield Request(method, path, raw)
        for header in HEADERS:
            yield Request(method, path, json.dumps(body).encode(), header)


def _addresses(method: str, path: str, parameters: list[dict[str, Any]], world: World) -> Iterator[Request]:
    def filled(chosen: str = "", part: str = "") -> str:
        address = path
        for each in parameters:
            if each["in"] == "path":
                known = quote(str(world.get(each["name"], ["1"])[0]), safe="")
                address = address.replace(f"{{{each['name']}}}", part if each["name"] == chosen else known)
        return address

    # What deletes or changes is asked with hostile places only, so that the world stays.
    for each in parameters:
        if each["in"] == "path":
            yield from (Request(method, filled(each["name"], part), b"{}") for part in PARTS)
        elif each["in"] == "query" and method == "GET":
            yield from (Request(method, f"{filled()}?{each['name']}={part}") for part in PARTS)
            yield Request(method, f"{filled()}?{each['name']}=1&{each['name']}=2")
    if method == "GET":
        yield from (Request(method, filled(), None, header) for header in HEADERS)


def _with_token(value: Any, token: str) -> Iterator[str]:
    """Yield the text of a value for each of its parts with that part replaced."""
    yield token
    if isinstance(value, dict):
        for name, of in value.items():
            for text in _with_token(of, token):
                rest = [f"{json.dumps(other)}:{json.dumps(kept)}" for other, kept in value.items() if other != name]
                yield "{" + ",".join([*rest, f"{json.dumps(name)}:{text}"]) + "}"
    elif isinstance(value, list) and value:
        for text in _with_token(value[0], token):
            yield "[" + ",".join([text, *map(json.dumps, value[1:])]) + "]"


def run(
    client: Client, requests: Iterator[Request], *, seconds: float = float("inf"), with_engine: bool = True
) -> Outcome:
    """Send requests one after the other, as many as there is time for, and judge each answer.

    Args:
        with_engine: A rule worker runs; without it, what must be tried by one may be answered that there is none.
    """
    outcome = Outcome()
    deadline = perf_counter() + seconds
    for request in requests:
        if perf_counter() > deadline:
            break
        headers = [(b"Content-Type", b"application/json")] if request.body is not None else []
        if request.header is not None:
            headers = [pair for pair in headers if pair[0].lower() != request.header[0].lower()] + [request.header]
        began = perf_counter()
        try:
            answer = client.request(request.method, request.path, content=request.body, headers=headers)
        except HTTPError as error:
            outcome.findings.append(f"no answer ({error!r}): {_shown(request)}")
            continue
        seconds = perf_counter() - began
        outcome.requests += 1
        outcome.statuses[answer.status_code] += 1
        outcome.slowest_seconds = max(outcome.slowest_seconds, seconds)
        kind = answer.headers.get("content-type", "")
        is_without_engine = not with_engine and "urn:sentinel:problem:engine-unavailable" in answer.text
        if answer.status_code >= 500 and not is_without_engine:
            outcome.findings.append(f"{answer.status_code}: {_shown(request)}: {answer.text[:300]}")
        elif answer.status_code >= 400 and kind != "application/problem+json" and answer.content != NO_HTTP:
            outcome.findings.append(f"{answer.status_code} is no problem document but {kind!r}: {_shown(request)}")
        if seconds > SLOWEST_SECONDS:
            outcome.findings.append(f"{seconds:.1f} s: {_shown(request)}")
    return outcome


def _shown(request: Request) -> str:
    body = "" if request.body is None else f" {request.body[:200]!r}"
    header = "" if request.header is None else f" {request.header[0].decode()}: {request.header[1][:60]!r}"
    return f"{request.method} {request.path[:200]}{header}{body}"
