"""Log lines: text or JSON, with the request they are about, and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from sentinel.telemetry.context import REQUEST
from sentinel.telemetry.redaction import Redactor

LogFormat = Literal["text", "json"]
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MAX_MESSAGE_CHARACTERS = 32_768
_OWN = frozenset({"time", "level", "logger", "message", "process", "thread", "exception", "stack"})
# Servers that bring handlers of their own, which write lines of another kind.
_OTHERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


class RedactionFilter(logging.Filter):
    """Takes secrets out of a record's message and traceback, for every handler that sees it afterwards.

    Belongs to a handler: a logger's filters do not see what its children say.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact; let everything pass."""
        try:
            message = record.getMessage()
        except Exception as error:
            # A line that cannot be formatted is worth saying so, not worth an exception where it is written.
            message = f"{record.msg} (its arguments do not fit: {type(error).__name__})"
        record.msg, record.args = self._redactor.redacted(message[:MAX_MESSAGE_CHARACTERS]), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redactor.redacted(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.redacted(record.stack_info)
        return True


class ContextFilter(logging.Filter):
    """Puts the request that is served, and its tenant, on a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Note; let everything pass."""
        current = REQUEST.get()
        record.request_id = current.request_id if current else ""
        record.tenant = current.tenant_id if current else ""
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC, RFC 3339), level, logger, message; request_id and tenant, exception and
    what else was given as `extra={"fields": {...}}`, where there are any.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": self._process,
            "thread": record.threadName,
        }
        for name in ("request_id", "tenant"):
            value = getattr(record, name, "")
            if value:
                line[name] = value
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= {name: value for name, value in fields.items() if name not in _OWN}
        if record.exc_text or record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, ensure_ascii=False, default=str)


def install_logs(
    process: str,
    log_format: LogFormat = "text",
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    level: int = logging.INFO,
) -> None:
    """Have this process log to its standard error, in one form. Replaces what was set up before.

    Args:
        process: Named in each line of JSON: `api`, `worker`, `rule-worker`, `job`.
        secrets: Texts that must not appear in any line.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(process) if log_format == "json" else logging.Formatter(TEXT))
    handler.addFilter(ContextFilter())
    handler.addFilter(RedactionFilter(Redactor(secrets)))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _OTHERS:
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
    # Every call to the JVM would be a line.
    logging.getLogger("py4j").setLevel(logging.WARNING)
