"""Changes of rules that are gone through beforehand, so that the first real one takes effect as fast as later ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0


class Rehearsals:
    """Those of a driver: it is its JVM that they make ready, whichever of its pipelines they are of.

    Args:
        count: How many in the life of the driver; a pipeline that is begun anew finds the JVM ready.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()

    def hold(self, pipeline_id: int, rehearse: Callable[[str], None], stopping: threading.Event) -> None:
        """Hold what is left of them, a second apart, in a thread that ends with the first failure.

        Args:
            rehearse: Goes through a change once; gets a name that no other call gets.
            stopping: Set when the pipeline ends.
        """
        if not self._left:
            return

        def rounds() -> None:
            try:
                while not stopping.wait(PAUSE_SECONDS):
                    with self._lock:
                        if not self._left:
                            return
                        self._left -= 1
                        number = self._left
                    rehearse(f"rehearsal_{number}")
            except Exception as error:
                log.info("pipeline %s: the rehearsal ended: %s", pipeline_id, error)

        threading.Thread(target=rounds, name=f"rehearsal-{pipeline_id}", daemon=True).start()
