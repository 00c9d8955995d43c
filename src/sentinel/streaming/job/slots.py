"""Task slots: how many a driver needs, and the check that it has them."""

from __future__ import annotations

import time

from pyspark.sql import SparkSession

from sentinel.clock import monotonic_seconds
from sentinel.errors import ConfigurationError

ARCHIVE_SLOTS = 2
# Two generations hold one per partition each while one hands over to the next.
SLOTS_PER_PARTITION = 2
REGISTRATION_SECONDS = 30.0


def slots_for(partitions: int) -> int:
    """Return how many slots pipelines in Real-Time Mode need, given how many partitions they read in all."""
    return ARCHIVE_SLOTS + SLOTS_PER_PARTITION * partitions


def offered_slots(spark: SparkSession) -> int:
    """Return how many slots there are now. On a cluster: those of the executors that have registered, at least 2."""
    return int(spark.sparkContext.defaultParallelism)


def check_slots(spark: SparkSession, needed: int) -> None:
    """Check that the master offers enough task slots; those of a cluster's executors may take a while to register.

    Raises:
        ConfigurationError: It does not; says how many are needed and where to set them.
    """
    offered = offered_slots(spark)
    if not spark.sparkContext.master.startswith("local"):
        deadline = monotonic_seconds() + REGISTRATION_SECONDS
        while offered < needed and monotonic_seconds() < deadline:
            time.sleep(0.2)
            offered = offered_slots(spark)
    if offered < needed:
        raise ConfigurationError(
            f"the master {spark.sparkContext.master!r} offers {offered} task slots and {needed} are needed: in "
            "Real-Time Mode each topic partition holds one slot, twice while one generation hands over to the "
            f"next, and the archive needs {ARCHIVE_SLOTS}. Give it more (--master local[{needed}], or more worker "
            "cores), or set the pipeline's mode to microbatch"
        )
