"""The loop of the worker that cares for lake tables when they are due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sentinel.batch.lake_care.carer import LakeCarer
from sentinel.errors import SentinelError
from sentinel.stores.lake_care import LakeCareWork

_LOG = logging.getLogger(__name__)

# Tables at a time: one whose store hangs does not hold up all others, and detection goes first.
PLACES = 2
POLL_SECONDS = 10.0


class LakeCareLoop:
    """Looks every few seconds for tables that are due, over all tenants. Several processes may do so.

    Args:
        is_on: False: it does nothing, and counts as well.
        beat: Called as long as it goes round.
    """

    name = "lake-care"

    def __init__(
        self,
        work: LakeCareWork,
        carer: LakeCarer,
        *,
        is_on: bool = True,
        poll_seconds: float = POLL_SECONDS,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._carer = carer
        self._is_on = is_on
        self._poll_seconds = poll_seconds
        self._beat = beat

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set; a step that is on its way then is ended, and leaves nothing."""
        while not stopping.is_set():
            self._beat()
            if self._is_on:
                self.pass_once(stopping)
            stopping.wait(self._poll_seconds)

    def pass_once(self, stopping: threading.Event) -> int:
        """Care for what is due now, and return in how many tables something was done or failed.

        Raises:
            StoreUnavailableError: PostgreSQL does not say what is due.
        """
        due = self._work.due(PLACES * 20)
        with ThreadPoolExecutor(PLACES, thread_name_prefix="lake-care") as places:
            return sum(places.map(lambda table: self._care(table[0], table[1], stopping), due))

    def _care(self, tenant_id: str, pipeline_id: int, stopping: threading.Event) -> bool:
        def is_stopped() -> bool:
            self._beat()
            return stopping.is_set()

        if is_stopped():
            return False
        try:
            return self._carer.run_due(tenant_id, pipeline_id, is_stopped) is not None
        except SentinelError as error:
            _LOG.warning("the lake of pipeline %d of tenant %s waits: %s", pipeline_id, tenant_id, error.message)
        except Exception:
            _LOG.exception("the lake of pipeline %d of tenant %s waits", pipeline_id, tenant_id)
        return False
