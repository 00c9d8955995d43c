"""Log lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sentinel.telemetry.context import REQUEST, RequestContext, tenant_is
from sentinel.telemetry.logs import LogFormat, install_logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(log_format: LogFormat = "json") -> io.StringIO:
    stream = io.StringIO()
    install_logs("worker", log_format, secrets=["a-configured-secret"], stream=stream)
    return stream


def line_of(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    return dict(json.loads(line))


class TestJson:
    def test_a_line_names_time_level_logger_and_message(self) -> None:
        stream = logged()
        logging.getLogger("sentinel.x").warning("%d of %s", 3, "them")
        line = line_of(stream)
        assert line["level"] == "WARNING"
        assert (line["logger"], line["message"], line["process"]) == ("sentinel.x", "3 of them", "worker")
        assert line["time"].endswith("+00:00")
        assert "request_id" not in line

    def test_a_line_names_the_request_and_its_tenant(self) -> None:
        stream = logged()
        token = REQUEST.set(RequestContext("r-1"))
        tenant_is("acme")
        logging.getLogger("sentinel.x").info("served")
        REQUEST.reset(token)
        line = line_of(stream)
        assert (line["request_id"], line["tenant"]) == ("r-1", "acme")

    def test_fields_are_members_and_replace_nothing_of_the_line_itself(self) -> None:
        stream = logged()
        logging.getLogger("x").info("m", extra={"fields": {"topic": "t", "message": "forged"}})
        line = line_of(stream)
        assert (line["topic"], line["message"]) == ("t", "m")

    def test_a_line_break_cannot_forge_another_line(self) -> None:
        stream = logged()
        logging.getLogger("x").info('first\n{"level": "forged"}')
        assert line_of(stream)["message"].startswith("first\n")

    def test_a_traceback_is_in_its_line_without_secrets(self) -> None:
        stream = logged()
        try:
            raise ValueError("Authorization: Bearer abcdefghijkl and a-configured-secret")
        except ValueError:
            logging.getLogger("x").exception("it failed")
        line = line_of(stream)
        assert "ValueError" in line["exception"]
        assert "abcdefghijkl" not in stream.getvalue()
        assert "a-configured-secret" not in stream.getvalue()

    def test_arguments_that_do_not_fit_are_a_line_all_the_same(self) -> None:
        stream = logged()
        logging.getLogger("x").info("%d", "no number")
        assert "do not fit" in line_of(stream)["message"]


class TestText:
    def test_secrets_in_arguments_are_hidden(self) -> None:
        stream = logged("text")
        logging.getLogger("x").info("with %s", "snt_0123456789abcdef")
        assert stream.getvalue().rstrip().endswith("INFO x: with snt_***")

    def test_what_servers_log_takes_the_same_way(self) -> None:
        stream = logged("text")
        other = logging.getLogger("uvicorn.access")
        other.addHandler(logging.NullHandler())
        stream = logged("text")
        other.warning("GET /x?token=abcdefgh")
        assert stream.getvalue().rstrip().endswith("uvicorn.access: GET /x?token=***")
