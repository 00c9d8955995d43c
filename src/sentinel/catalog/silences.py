"""Use cases on silences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sentinel.catalog.audit import Auditor
from sentinel.domain.label_matcher import matcher_of
from sentinel.domain.silence import MAX_SILENCE, MAX_SILENCES, Silence
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.notification_config import SilenceStore

MAX_MATCHERS = 20


class SilenceCatalog:
    """Silences of one tenant. Each counts from the next alert on that is told."""

    def __init__(self, silences: SilenceStore, auditor: Auditor, *, caller: str, now: Callable[[], datetime]) -> None:
        self._silences = silences
        self._auditor = auditor
        self._caller = caller
        self._now = now

    def add(self, matchers: Sequence[str], *, starts_at: datetime | None, ends_at: datetime, comment: str) -> Silence:
        """Silence alerts for a while.

        Args:
            starts_at: None: now.

        Raises:
            InvalidError: A matcher is none, or the times cannot be.
            ConflictError: There are as many as there may be.
        """
        now = self._now()
        begins = now if starts_at is None else starts_at
        problems: list[ErrorDetail] = []
        read = []
        for index, text in enumerate(matchers):
            try:
                read.append(matcher_of(text).text)
            except InvalidError as error:
                problems.append(ErrorDetail(f"/matchers/{index}", error.message))
        if not 1 <= len(matchers) <= MAX_MATCHERS:
            problems.append(ErrorDetail("/matchers", f"a silence has 1 to {MAX_MATCHERS} matchers"))
        if not max(begins, now) < ends_at <= now + MAX_SILENCE:
            message = f"it ends after it begins, in the future, at most {MAX_SILENCE.days} days from now"
            problems.append(ErrorDetail("/ends_at", message))
        if problems:
            raise InvalidError(problems[0].detail, details=problems)
        if self._silences.count(now) >= MAX_SILENCES:
            raise ConflictError(f"there are {MAX_SILENCES} silences, as many as there may be; end some of them first")
        silence = self._silences.add(read, begins, ends_at, comment, self._caller)
        self._record("silence.add", silence, None, facts_of_silence(silence))
        return silence

    def get(self, silence_id: int) -> Silence:
        """Return a silence.

        Raises:
            NotFoundError: There is no such silence.
        """
        silence = self._silences.get(silence_id)
        if silence is None:
            raise NotFoundError(f"there is no silence {silence_id}")
        return silence

    def page(self, *, expired: bool, before: int | None, limit: int) -> list[Silence]:
        """Return silences, newest first; those that are over as well where asked for."""
        return self._silences.page(self._now(), expired=expired, before=before, limit=limit)

    def end(self, silence_id: int) -> Silence:
        """End a silence before its time. Repeating it is harmless.

        Raises:
            NotFoundError: There is no such silence.
        """
        silence = self.get(silence_id)
        if silence.status_at(self._now()) != "expired":
            self._silences.end(silence_id, self._now(), self._caller)
            self._record("silence.end", silence, facts_of_silence(silence), None)
        return self.get(silence_id)

    def status_of(self, silence: Silence) -> str:
        """Return `pending`, `active` or `expired`."""
        return silence.status_at(self._now())

    def _record(
        self, action: str, silence: Silence, before: dict[str, object] | None, after: dict[str, object] | None
    ) -> None:
        self._auditor.record(
            action,
            "silence",
            silence.id,
            pipeline_id=None,
            object_name=", ".join(silence.matchers)[:200],
            before=before,
            after=after,
            comment=silence.comment,
        )


def facts_of_silence(silence: Silence) -> dict[str, object]:
    """Return what there is to say of a silence, as plain data."""
    return {
        "matchers": list(silence.matchers),
        "starts_at": silence.starts_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
    }
