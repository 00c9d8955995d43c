"""Fixtures that need servers, Spark or shared data. Servers start when first asked for, once per session."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from pyspark.sql import SparkSession

from sentinel.errors import StoreUnavailableError
from sentinel.localstack.java import find_java
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.streaming.query.session import build_session
from sentinel.testing.servers import ServerSet, start_servers

# The same examples in every run: a change is judged by its own merits. `HYPOTHESIS_PROFILE=default` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Tests start hundreds of programs that live for seconds. What the JVM's second compiler spends on them never pays, and
# without files of bytecode each of them would compile a second's worth of Python again.
# With the first compiler alone a JVM reserves 48 MB for code, which Spark fills within minutes; then nothing more is
# compiled.
JAVA_OPTIONS = os.environ.get("JDK_JAVA_OPTIONS")
if JAVA_OPTIONS is None:
    os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The files that take longest, longest first: begun last, they would leave the other processes idle at the end. The
# worker of all tenants has more to do the more tests have left tenants behind.
LONGEST_FILES = (
    "test_replay.py",
    "test_short_form.py",
    "test_containment.py",
    "test_demo.py",
    "test_detection.py",
    "test_one_engine.py",
    "test_local_stack_worker.py",
    "test_shadow.py",
    "test_telemetry_live.py",
    "test_local_stack.py",
    "test_local_stack_jobs.py",
    "test_accessibility.py",
    "test_archive.py",
    "test_reconcile.py",
    "test_refill.py",
    "test_cluster.py",
    "test_lifecycle_live.py",
    "test_list_rules.py",
    "test_outcomes.py",
    "test_stripe_live.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all else keeps its order."""
    rank = {name: position for position, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSet]:
    """PostgreSQL, Kafka, Redis and S3, with the newest schema; one set for the session."""
    with pytest.MonkeyPatch.context() as environment:
        # They live as long as the session: without the second compiler the broker takes three times the processor.
        if JAVA_OPTIONS is None:
            environment.delenv("JDK_JAVA_OPTIONS")
        try:
            started = start_servers(tmp_path_factory.mktemp("stack"))
        except StoreUnavailableError:
            # Everything starts at once in several processes. A second try is of a machine that has less to do.
            started = start_servers(tmp_path_factory.mktemp("stack"))
    with started as running:
        yield running


@pytest.fixture(scope="session")
def settings(servers: ServerSet) -> Settings:
    """The settings that lead to `servers`."""
    return servers.settings


@pytest.fixture(scope="session")
def database(settings: Settings) -> Iterator[Database]:
    """The database as the application role."""
    opened = Database(settings.postgres)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def tenant(settings: Settings) -> str:
    """A tenant of its own for the test."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(settings.postgres, tenant_id, "test")
    return tenant_id


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    """A local Spark session with the product's settings; one for the session."""
    os.environ.setdefault("JAVA_HOME", str(find_java(settings.home).home))
    session = build_session(
        settings, app_name="tests", master="local[4]", extra={"spark.ui.enabled": "false", "spark.driver.memory": "3g"}
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of the shared data sets; skips where it is absent."""
    path = PROJECT_ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"the shared data sets are not at {path}")
    return path
