"""Spark sessions: one for the driver, and one beside it in which rules are evaluated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from sentinel.errors import ConfigurationError
from sentinel.settings import LakeSettings, Settings

# Whole-stage code generation never splits rule expressions: past about 100 rules the method exceeds 8 kB, is never
# compiled by the JIT and runs 10 to 28 times slower. The optimizer rules would copy the parsing of an event into
# each expression that uses it (139,000 events/s instead of 832,000). Constraints, which only such rules use, take half
# of the time in which a query of 1000 rules is planned.
EVALUATION_SETTINGS: Mapping[str, str] = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.optimizer.excludedRules": ",".join(
        f"org.apache.spark.sql.catalyst.optimizer.{rule}"
        # The third is a part of the second that is applied once more, late, for the sake of Python functions.
        for rule in ("CollapseProject", "PushDownPredicates", "PushPredicateThroughNonJoin")
    ),
}


def build_session(
    settings: Settings, *, app_name: str, master: str, extra: Mapping[str, str] | None = None
) -> SparkSession:
    """Return the process's Spark session, started if there is none.

    Under `spark-submit` the JVM runs already and has its class path and heap; from plain Python it is started here
    with the jars of `settings.jars_dir`. Rules are evaluated in `evaluation_session`, everything else runs here.

    Args:
        extra: Spark settings that win over those made here.

    Raises:
        ConfigurationError: The jars are not there, or the lake's endpoint lacks its scheme.
    """
    conf = {**session_settings(settings), **lake_settings(settings.lake)}
    local = master.startswith("local")
    if local:
        # The Spark UI binds to this address; without it, to all.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if "PYSPARK_GATEWAY_PORT" not in os.environ and SparkContext._gateway is None:
        conf |= launch_settings(settings, local=local)
    builder = SparkSession.builder.master(master).appName(app_name)
    for name, value in {**conf, **(extra or {})}.items():
        builder = builder.config(name, value)
    spark: SparkSession = builder.getOrCreate()
    quiet(spark)
    return spark


def evaluation_session(spark: SparkSession) -> SparkSession:
    """Return a session of the same driver with the settings that evaluation of rules needs.

    Parsing belongs there, too: elsewhere the optimizer may parse an event more than once.
    """
    session = spark.newSession()
    for name, value in EVALUATION_SETTINGS.items():
        session.conf.set(name, value)
    return session


def session_settings(settings: Settings) -> dict[str, str]:
    """Return the Spark settings that hold everywhere."""
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.runSQLOnFiles": "false",
        "spark.sql.json.enablePartialResults": "true",
        "spark.sql.json.enableExactStringParsing": "true",
        "spark.sql.caseSensitive": "false",
        # Noting where each column expression was written doubles the time that building rules takes.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        # What the SQL parser learns from each text it keeps, without end: a fifth of a heap of 1 GB after some hundred
        # long rules. Beyond so many percent of the heap it begins anew.
        "spark.sql.parser.manageParserCaches": "true",
        "spark.sql.parser.parserDfaCacheFlushRatio": "20",
        "spark.sql.shuffle.partitions": "4",
        # Checkpoints lie on a local disk, where the default one starts a program (readlink) several times a file.
        "spark.sql.streaming.checkpointFileManagerClass": (
            "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
        ),
        "spark.sql.warehouse.dir": (settings.home / "spark-warehouse").as_uri(),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # The default of 50 partitions for a table's state costs seconds per commit.
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.port": str(settings.job.spark_ui_port),
        "spark.ui.showConsoleProgress": "false",
        "spark.ui.retainedJobs": "200",
        "spark.ui.retainedStages": "200",
        "spark.ui.retainedTasks": "2000",
        "spark.sql.ui.retainedExecutions": "100",
        "spark.sql.streaming.ui.retainedQueries": "20",
        "spark.sql.streaming.numRecentProgressUpdates": "10",
    }


def launch_settings(settings: Settings, *, local: bool) -> dict[str, str]:
    """Return what a JVM that is started from plain Python must be told: class path, heap, logging.

    Raises:
        ConfigurationError: There are no jars.
    """
    jars_dir = settings.jars_dir
    jars = sorted(jars_dir.glob("*.jar"))
    if not jars:
        raise ConfigurationError(
            f"there are no jars for Spark in {jars_dir}; run `sentinel up`, which fetches them, or name their "
            "directory in SENTINEL_JOB__JARS_DIR"
        )
    options = f"-Dlog4j2.configurationFile={log_configuration().as_uri()} {settings.driver_java_options}".strip()
    launch = {
        "spark.driver.memory": settings.job.driver_memory,
        "spark.driver.extraClassPath": str(jars_dir / "*"),
        "spark.driver.extraJavaOptions": options,
    }
    if not local:
        launch["spark.jars"] = ",".join(jar.as_uri() for jar in jars)
    return launch


def lake_settings(lake: LakeSettings) -> dict[str, str]:
    """Return the settings of S3A. They hold the credentials: never log them.

    A server that is away is noticed within about 15 s instead of minutes: the archive itself repeats its commits, so
    few retries below it suffice.

    Raises:
        ConfigurationError: The endpoint has no scheme.
    """
    if not lake.uri.startswith("s3"):
        return {}
    found = {
        "endpoint.region": lake.region,
        "path.style.access": str(lake.path_style).lower(),
        "attempts.maximum": "1",
        "retry.limit": "2",
        "retry.interval": "500ms",
        "connection.establish.timeout": "5s",
        "connection.timeout": "10s",
        "connection.request.timeout": "15s",
        "connection.acquisition.timeout": "15s",
        "connection.maximum": "32",
        "threads.max": "8",
        "max.total.tasks": "8",
        "fast.upload.buffer": "bytebuffer",
        "multipart.size": "16M",
        # A directory is never renamed or listed for markers by Delta.
        "directory.marker.retention": "keep",
        "change.detection.mode": "none",
    }
    if lake.endpoint:
        if "://" not in lake.endpoint:
            raise ConfigurationError(
                f"the lake's endpoint {lake.endpoint!r} has no scheme; set SENTINEL_LAKE__ENDPOINT to "
                f"'https://{lake.endpoint}' (or http:// for a local server)"
            )
        found["endpoint"] = lake.endpoint
        found["connection.ssl.enabled"] = str(lake.endpoint.startswith("https://")).lower()
    if lake.access_key:
        found["aws.credentials.provider"] = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
        found["access.key"] = lake.access_key
        found["secret.key"] = lake.secret_key.get_secret_value()
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in found.items()}


def log_configuration() -> Path:
    """Return the Log4j configuration of the driver, for `-Dlog4j2.configurationFile`."""
    return Path(str(resources.files("sentinel.streaming").joinpath("log4j2.properties")))


def quiet(spark: SparkSession) -> None:
    """Apply the Log4j configuration to a JVM that was started by somebody else."""
    jvm = spark._jvm
    uri = jvm.java.net.URI(log_configuration().as_uri())
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure(uri)
