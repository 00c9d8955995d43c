"""Settings: one frozen tree of groups, read from the environment once in an entry point.

A setting is named by its path: `SENTINEL_POSTGRES__HOST`, `SENTINEL_LAKE__ENDPOINT`. The local stack records
the ports and passwords it chose in `<home>/stack.env`; the environment wins over that file.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def default_home() -> Path:
    """Return the directory of the local stack: `SENTINEL_HOME`, else `.sentinel` in the checkout."""
    named = os.environ.get("SENTINEL_HOME")
    return Path(named).expanduser().resolve() if named else PROJECT_ROOT / ".sentinel"


class Group(BaseModel):
    """A group of settings that a constructor takes whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PostgresSettings(Group):
    """Where PostgreSQL is, and its two roles: the owner migrates, the app role serves under row-level security."""

    host: str = "127.0.0.1"
    port: int = 5432
    database: str = "sentinel"
    owner_user: str = "sentinel_owner"
    owner_password: SecretStr = SecretStr("")
    app_user: str = "sentinel_app"
    app_password: SecretStr = SecretStr("")
    connect_timeout_seconds: int = 5

    def conninfo(self, role: Literal["owner", "app"] = "app") -> str:
        """Return a libpq connection string of one role. It holds the password: never log it."""
        user, secret = (self.owner_user, self.owner_password) if role == "owner" else (self.app_user, self.app_password)
        parts = {
            "host": self.host,
            "port": str(self.port),
            "dbname": self.database,
            "user": user,
            "password": secret.get_secret_value(),
            "connect_timeout": str(self.connect_timeout_seconds),
            "application_name": "sentinel",
        }
        return " ".join(f"{key}='{_libpq_quote(value)}'" for key, value in parts.items() if value)


def _libpq_quote(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


class KafkaSettings(Group):
    """The broker."""

    bootstrap_servers: str = "127.0.0.1:9092"
    findings_topic_template: str = Field(
        default="sentinel.{tenant_id}.{pipeline_id}.findings", description="Name of a pipeline's findings topic."
    )
    findings_retention_hours: int = Field(default=72, description="Longer than the longest outage of PostgreSQL.")
    findings_replication: int = 1


class RedisSettings(Group):
    """Scores and counters; everything in it can be rebuilt from PostgreSQL."""

    host: str = "127.0.0.1"
    port: int = 6379
    database: int = 0
    password: SecretStr = SecretStr("")
    timeout_seconds: float = 2.0
    event_score_key: str = Field(
        default="{tenant_id}:{pipeline_id}:fraud:txn:{event_id}", description="Key of the score of one event."
    )
    entity_score_key: str = Field(
        default="{tenant_id}:{pipeline_id}:fraud:entity:{field}:{value}", description="Key of the score of an entity."
    )
    score_ttl_seconds: int = 7 * 24 * 3600


class LakeSettings(Group):
    """Where the lake is. `uri` is `s3://bucket/prefix` or a directory (`file:///...`)."""

    uri: str = "s3://sentinel/lake"
    endpoint: str = Field(default="", description="Empty for AWS; else with its scheme, e.g. https://<id>.r2.example")
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    path_style: bool = True
    conditional_put: bool = Field(default=True, description="The store honours If-None-Match (AWS, R2, S3Proxy do).")


class LakeQuerySettings(Group):
    """SQL over the lake through the API: what one query may use, and how many there may be."""

    # The client waits for 30 s, and a query's process ends at most 5 s after its time.
    seconds: float = Field(default=20.0, gt=0, le=24, description="How long one may run.")
    memory_mib: int = Field(default=512, ge=64, description="For one; its process takes up to 1.5 GiB on top.")
    answer_bytes: int = Field(default=4_194_304, ge=1_024, description="Of the rows of an answer.")
    at_once: int = Field(
        default=2, ge=1, description="Queries that a process of the API runs at once, each of its tenant."
    )


class LakeCareSettings(Group):
    """Care of the lake by the worker: small files are merged, and what nobody needs any more is deleted."""

    every_minutes: float = Field(default=10.0, ge=0, description="How often each table is looked at; 0: never.")
    min_files: int = Field(
        default=120, ge=2, description="A date that is not over is merged when it has so many files that can be."
    )
    target_mib: int = Field(
        default=128, ge=8, le=4_096, description="How large files become, about; an eighth while the date is not over."
    )
    # Queries end within an hour; backtests and refills read one version for as long as they take.
    retention_hours: int = Field(
        default=168,
        ge=24,
        description="Merged files, and versions of the table, are kept for so long: longer than any query, backtest or "
        "refill takes.",
    )
    vacuum_hours: float = Field(default=24.0, gt=0, description="How often it is looked for what can be deleted.")
    step_seconds: float = Field(
        default=120.0, ge=1, le=3_600, description="A step that takes longer is ended; so long the archive may wait."
    )
    memory_mib: int = Field(default=512, ge=64, description="For a step; its process takes up to 1 GiB on top.")


class ApiSettings(Group):
    """The configuration API."""

    host: str = "127.0.0.1"
    port: int = 8000
    open: bool = Field(default=True, description="Serve without API keys, on the loopback interface only.")
    pool_size: int = 8
    max_body_bytes: int = 1_000_000
    max_upload_bytes: int = Field(default=67_108_864, description="Bytes of an upload of a list's rows.")


class IngestSettings(Group):
    """Events that come by HTTP."""

    timeout_seconds: float = Field(default=5.0, gt=0, description="How long the broker may take to confirm an event.")
    default_partitions: int = Field(default=4, ge=1, description="Of a topic that is created.")
    replication: int = Field(default=1, ge=1, description="Of the topics that are created.")
    create_topics: bool = Field(default=True, description="Create a pipeline's topic when its first event comes.")
    max_body_bytes: int = Field(default=5_242_880, description="Bytes of a request, before and after decompression.")
    events_per_minute: int = Field(default=1_200_000, ge=0, description="Of one tenant; 0: any number.")
    deduplicate_hours: float = Field(default=24, gt=0, description="For so long an event id is taken once.")
    without_redis: Literal["accept", "refuse"] = Field(
        default="accept",
        description="While Redis does not answer: take events without telling repetitions, each process with its own "
        "count for the limit; or answer 503.",
    )
    config_seconds: float = Field(default=2.0, description="Changes of pipelines and routes are noticed so late.")
    spool_max_bytes: int = Field(
        default=0, ge=0, description="Keep so much on disk while the broker is away, and answer 202; 0: answer 503."
    )
    spool_file: str = Field(default="", description="Empty: <home>/spool.sqlite.")


class WebhookSettings(Group):
    """Signed webhooks."""

    encryption_key: SecretStr = Field(
        default=SecretStr(""),
        description="Fernet keys, separated by commas: the first encrypts the secrets of webhook sources and of "
        "channels, each decrypts. "
        "Empty: they are kept in clear, behind row-level security.",
    )
    sweep_seconds: float = Field(default=5.0, gt=0, description="How often events that wait for Kafka are sought.")
    stripe_api_base: str = Field(default="https://api.stripe.com", description="Where missed events are listed.")
    retention_days: int = Field(
        default=0, ge=0, description="What `sentinel webhooks prune` deletes: events older than that; 0: nothing."
    )


class NotifySettings(Group):
    """Notifications: where they may go, and how long one try may take."""

    allowed_networks: str = Field(
        default="",
        description="Networks (CIDR), separated by commas, that channels may reach although they are not public, and "
        "without TLS: `127.0.0.0/8` for trials on one machine.",
    )
    ca_file: str = Field(default="", description="Certificates (PEM) to trust besides those that everybody trusts.")
    connect_timeout_seconds: float = Field(default=5.0, gt=0)
    read_timeout_seconds: float = Field(default=10.0, gt=0, description="Between two bytes of an answer.")
    total_timeout_seconds: float = Field(
        default=20.0, gt=0, le=100, description="Of one try, with everything. A worker counts as gone after 120 s."
    )
    workers: int = Field(default=32, ge=1, le=256, description="Tries at the same time, of one worker.")
    workers_per_channel: int = Field(default=4, ge=1, le=64, description="Of one channel.")
    keep_days: int = Field(default=90, ge=1, description="How long deliveries and decisions are kept.")
    apprise: bool = Field(
        default=False,
        description="Allow channels of kind apprise, whose connections are made by that library, unguarded.",
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for text in _parts(value):
            ip_network(text)
        return value

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed networks."""
        return tuple(ip_network(text) for text in _parts(self.allowed_networks))


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


class DashboardSettings(Group):
    """The dashboard."""

    host: str = "127.0.0.1"
    port: int = 8501
    api_key: SecretStr = SecretStr("")


class JobSettings(Group):
    """The detection job."""

    master: str = Field(default="", description="Empty: local[N] with as many slots as the pipelines need.")
    driver_memory: str = "1g"
    # Buffers of Kafka and Parquet of up to 4 MB are ordinary objects then: as "humongous" ones they made G1 mark the
    # whole heap every second of a backlog. It marks when what stays fills 60 % of the heap: G1's own
    # estimate adds the young objects, and had it marking without end at 20,000 events/s, for a tenth of a processor.
    driver_java_options: str = "-XX:G1HeapRegionSize=8m -XX:-G1UseAdaptiveIHOP -XX:InitiatingHeapOccupancyPercent=60"
    spark_ui_port: int = 4040
    checkpoint_dir: str = Field(default="", description="Empty: <home>/checkpoints. Disposable by design.")
    jars_dir: str = Field(default="", description="Empty: <home>/jars/spark.")
    archive_interval_seconds: float = 15.0
    microbatch_interval_seconds: float = 0.0
    realtime_batch_minutes: int = Field(
        default=30, ge=1, description="Between two batches of Real-Time Mode alerts wait for up to a second."
    )
    lease_ttl_seconds: float = 10.0
    config_poll_seconds: float = 1.0
    list_expiry_seconds: float = Field(default=5.0, description="Rows of lists expire together, at most so late.")
    writer_batch_max_findings: int = 20_000
    overlap_max_seconds: float = 60.0
    overlap_max_held: int = 200_000
    archive_max_records: int = 1_000_000
    observe_interval_seconds: float = 60.0
    observe_max_records: int = 500_000
    record_headers: bool = Field(
        default=True, description="Alerts know the request and trace of their event, as its record's headers say."
    )
    rehearsals: int = Field(
        default=8,
        ge=0,
        le=100,
        description="How often a driver in Real-Time Mode goes through a change of rules beforehand, once nothing is "
        "behind; 0: never. The first changes take effect seconds later then.",
    )
    measuring_share: float = Field(
        default=0.1, gt=0, le=1, description="Of the time of one thread, for costs of rules."
    )
    rule_budget_microseconds: float = Field(default=50.0, description="A rule that costs more per event is taken out.")


class WorkerSettings(Group):
    """The rule worker."""

    driver_memory: str = "640m"
    slots: int = Field(default=2, description="Task slots of its local Spark session.")
    lease_seconds: float = Field(default=15.0, description="A task of a silent worker is taken up after this.")
    poll_seconds: float = 2.0
    max_attempts: int = Field(default=3, description="How many workers may begin with a task.")
    answer_seconds: float = Field(default=10.0, description="How long a request waits for a short task's result.")


class DetectorSettings(Group):
    """Scheduled detectors."""

    poll_seconds: float = Field(default=5.0, gt=0, description="How often it is looked for what is due.")
    run_seconds: float = Field(default=60.0, gt=0, le=3600, description="A run that takes longer is ended.")


class TelemetrySettings(Group):
    """What processes tell of themselves. Metrics and health of the API are on its own port."""

    host: str = Field(
        default="127.0.0.1",
        description="Where the processes listen for `/metrics`, `/healthz` and `/readyz`. They ask for no key: another "
        "address than the loopback's is for networks that only the operator reaches.",
    )
    worker_port: int = Field(default=0, ge=0, le=65535, description="Of the worker; 0: it does not listen.")
    rule_worker_port: int = Field(default=0, ge=0, le=65535, description="Of the rule worker; 0: it does not listen.")
    job_port: int = Field(default=0, ge=0, le=65535, description="Of a detection job; 0: it does not listen.")
    log_format: Literal["text", "json"] = Field(default="text", description="Of every process's log.")
    log_events: bool = Field(
        default=False,
        description="The API logs where the records of each request's events lie: topic, partition, offsets.",
    )
    heartbeat_url: SecretStr = Field(
        default=SecretStr(""),
        description="What the worker asks (POST) as long as all is well with it, so that somebody outside notices its "
        "silence; empty: nothing. The networks that channels may reach hold for it, too.",
    )
    heartbeat_seconds: float = Field(default=60.0, ge=1.0, description="How often.")


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="SENTINEL_", env_nested_delimiter="__", frozen=True, extra="ignore", env_file_encoding="utf-8"
    )

    home: Path = Field(default_factory=default_home)
    tenant: str = Field(default="default", description="The tenant that commands and jobs act for.")
    postgres: PostgresSettings = PostgresSettings()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    lake: LakeSettings = LakeSettings()
    lake_query: LakeQuerySettings = LakeQuerySettings()
    lake_care: LakeCareSettings = LakeCareSettings()
    api: ApiSettings = ApiSettings()
    ingest: IngestSettings = IngestSettings()
    webhooks: WebhookSettings = WebhookSettings()
    notify: NotifySettings = NotifySettings()
    dashboard: DashboardSettings = DashboardSettings()
    job: JobSettings = JobSettings()
    worker: WorkerSettings = WorkerSettings()
    detectors: DetectorSettings = DetectorSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @classmethod
    def load(cls, home: Path | None = None) -> Settings:
        """Build the settings from `<home>/stack.env` and the environment, which wins."""
        where = home or default_home()
        return cls(_env_file=where / "stack.env", home=where)

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret that the settings hold, for keeping them out of logs."""
        found: set[str] = set()
        for name in type(self).model_fields:
            group = getattr(self, name)
            if isinstance(group, Group):
                values = (getattr(group, field) for field in type(group).model_fields)
                # Some are several, separated by commas.
                found |= {
                    part
                    for value in values
                    if isinstance(value, SecretStr)
                    for part in (value.get_secret_value(), *_parts(value.get_secret_value()))
                }
        return frozenset(found - {""})

    @property
    def checkpoint_dir(self) -> Path:
        """Where streaming queries keep their (disposable) checkpoints."""
        return Path(self.job.checkpoint_dir) if self.job.checkpoint_dir else self.home / "checkpoints"

    @property
    def jars_dir(self) -> Path:
        """Where the jars of the Spark side lie."""
        return Path(self.job.jars_dir) if self.job.jars_dir else self.home / "jars" / "spark"

    @property
    def spool_path(self) -> Path:
        """Where events wait while the broker is away."""
        return Path(self.ingest.spool_file) if self.ingest.spool_file else self.home / "spool.sqlite"

    @property
    def class_archive(self) -> Path:
        """Where the local stack keeps the archive of the driver's classes, beside its jars; there may be none."""
        return self.jars_dir.with_suffix(".jsa")

    @property
    def driver_java_options(self) -> str:
        """The options of a driver's JVM: `job.driver_java_options`, and the class archive where there is one."""
        if not self.class_archive.exists() or os.pathsep in str(self.class_archive):
            return self.job.driver_java_options
        # An archive that does not fit is passed over; without the second option the JVM would say so on its output.
        return f'{self.job.driver_java_options} "-XX:SharedArchiveFile={self.class_archive}" -Xlog:cds=error'.strip()
