"""Settings -> stores -> use cases. Entry points build a `Backend` and work in its units."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis.exceptions import RedisError

from sentinel.batch.detectors import DETECTORS
from sentinel.catalog.access import KeyCatalog
from sentinel.catalog.audit import Auditor
from sentinel.catalog.backtests import BacktestCatalog, demand_backtest
from sentinel.catalog.channels import ChannelCatalog
from sentinel.catalog.deliveries import DeliveryCatalog
from sentinel.catalog.detectors import DetectorCatalog
from sentinel.catalog.engine_tasks import EngineDesk, EngineTaskCatalog
from sentinel.catalog.event_routes import EventRouteCatalog
from sentinel.catalog.lake import LakeCatalog
from sentinel.catalog.lifecycle import LifecycleCatalog
from sentinel.catalog.lists import ListCatalog
from sentinel.catalog.mutes import MuteCatalog
from sentinel.catalog.notification_policies import NotificationPolicyCatalog
from sentinel.catalog.pipelines import PipelineCatalog
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.quarantines import QuarantineCatalog
from sentinel.catalog.rule_batch import RuleBatch
from sentinel.catalog.rule_test_gate import RuleTestGate
from sentinel.catalog.rule_tests import RuleTestCatalog
from sentinel.catalog.rules import RuleCatalog
from sentinel.catalog.schemas import SchemaCatalog
from sentinel.catalog.scorecards import ScorecardCatalog
from sentinel.catalog.scores import ScoreCatalog
from sentinel.catalog.silences import SilenceCatalog
from sentinel.catalog.webhook_backfills import BackfillCatalog
from sentinel.catalog.webhooks import WebhookCatalog
from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.api_key import ApiKey, hash_secret
from sentinel.domain.channel import new_signing_secret
from sentinel.errors import SentinelError, StoreUnavailableError, UnauthenticatedError
from sentinel.notify.reach.addresses import AddressGuard
from sentinel.notify.reach.channel_rules import ChannelRules
from sentinel.ops.alerts import AlertHandling
from sentinel.ops.dead_letters import DeadLetterHandling
from sentinel.settings import Settings
from sentinel.stores.alerts import AlertFacetReader, EntityHistoryReader, QualityReader
from sentinel.stores.base import AlertReader, AnswerStore, FigureReader, LedgerReader, PeriodReader
from sentinel.stores.beside_rules import AuditStore, OutcomeReader
from sentinel.stores.lake_care import LakeCareReader
from sentinel.stores.postgres.alert_facets import PostgresAlertFacets
from sentinel.stores.postgres.alert_states import PostgresAlertStates, PostgresQuality
from sentinel.stores.postgres.alerts import PostgresAlerts
from sentinel.stores.postgres.answers import PostgresAnswers
from sentinel.stores.postgres.api_keys import PostgresApiKeys, find_presented
from sentinel.stores.postgres.audit import PostgresAudit
from sentinel.stores.postgres.channels import PostgresChannelReader, PostgresChannels
from sentinel.stores.postgres.database import Connection, Database, first_line
from sentinel.stores.postgres.dead_letters import PostgresDeadLetters
from sentinel.stores.postgres.detector_queries import DetectorQueries, DetectorQueryCheck
from sentinel.stores.postgres.detector_work import PostgresDetectorWork
from sentinel.stores.postgres.detectors import PostgresDetectors
from sentinel.stores.postgres.engine_tasks import PostgresEngineTasks
from sentinel.stores.postgres.entity_history import PostgresEntityHistory
from sentinel.stores.postgres.event_routes import PostgresEventRoutes
from sentinel.stores.postgres.figures import PostgresFigures
from sentinel.stores.postgres.labels import PostgresLabels
from sentinel.stores.postgres.lake_care import PostgresLakeCare
from sentinel.stores.postgres.lake_tables import PostgresLakeTables
from sentinel.stores.postgres.ledger_reader import PostgresLedgerReader
from sentinel.stores.postgres.lists import PostgresLists
from sentinel.stores.postgres.migrate import schema_problem
from sentinel.stores.postgres.mutes import PostgresMutes
from sentinel.stores.postgres.notifications.history import PostgresDeliveryReader
from sentinel.stores.postgres.notifications.policies import PostgresPolicies, PostgresSilences
from sentinel.stores.postgres.outcomes import PostgresOutcomes
from sentinel.stores.postgres.period import PostgresPeriods
from sentinel.stores.postgres.pipelines import PostgresPipelines, find_topic_owner
from sentinel.stores.postgres.quarantines import PostgresQuarantines
from sentinel.stores.postgres.rule_tests import PostgresRuleTests
from sentinel.stores.postgres.rules import PostgresRules
from sentinel.stores.postgres.schemas import PostgresSchemas
from sentinel.stores.postgres.scorecards import PostgresScorecards
from sentinel.stores.postgres.secret_box import SecretBox
from sentinel.stores.postgres.webhook_backfills import PostgresBackfillInbox, PostgresBackfills
from sentinel.stores.postgres.webhook_inbox import PostgresWebhookInbox
from sentinel.stores.postgres.webhook_sources import PostgresWebhookSources
from sentinel.stores.redis.scores import connect
from sentinel.stores.redis.scores_reader import RedisScoreReader

# Requests of one process that wait for a rule worker at the same time. Each holds one of the API's 40 threads.
DESK_PLACES = 16


@dataclass(frozen=True, slots=True)
class Unit:
    """The use cases of one tenant, bound to one transaction."""

    pipelines: PipelineCatalog
    schemas: SchemaCatalog
    rules: RuleCatalog
    rule_batch: RuleBatch
    lifecycle: LifecycleCatalog
    quarantines: QuarantineCatalog
    outcomes: OutcomeReader
    lists: ListCatalog
    mutes: MuteCatalog
    scorecards: ScorecardCatalog
    audit: AuditStore
    keys: KeyCatalog
    scores: ScoreCatalog
    alerts: AlertReader
    facets: AlertFacetReader
    entity_history: EntityHistoryReader
    handling: AlertHandling
    quality: QualityReader
    ledger: LedgerReader
    answers: AnswerStore
    tests: RuleTestCatalog
    tasks: EngineTaskCatalog
    backtests: BacktestCatalog
    event_routes: EventRouteCatalog
    figures: FigureReader
    periods: PeriodReader
    lake: LakeCatalog
    lake_care: LakeCareReader
    webhooks: WebhookCatalog
    channels: ChannelCatalog
    policies: NotificationPolicyCatalog
    silences: SilenceCatalog
    deliveries: DeliveryCatalog
    backfills: BackfillCatalog
    detectors: DetectorCatalog
    dead_letters: DeadLetterHandling


class Backend:
    """The stores of one process. Connects when first used, so it may start before they do."""

    def __init__(self, settings: Settings, *, pool_size: int = 4) -> None:
        self._database = Database(settings.postgres, pool_size=pool_size)
        self._redis = connect(settings.redis)
        self._secrets = SecretBox(settings.webhooks)
        self._channel_rules = ChannelRules(settings.notify, AddressGuard(settings.notify.networks))
        self._scores = RedisScoreReader(self._redis, settings.redis)
        self._score_ttl_seconds = settings.redis.score_ttl_seconds
        self._role_is_checked = False
        self._lake = settings.lake
        self._answer_seconds = settings.worker.answer_seconds
        self._desk_places = threading.BoundedSemaphore(DESK_PLACES)

    def open(self) -> None:
        """Start connecting. Does not wait."""
        self._database.open()

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
        self._redis.close()

    def check_role(self) -> None:
        """Check once that row-level security binds the database role.

        Raises:
            ConfigurationError: It does not.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        if not self._role_is_checked:
            self._database.refuse_privileged_role()
            self._role_is_checked = True

    @property
    def database(self) -> Database:
        """The connections, for what has transactions of its own."""
        return self._database

    @contextmanager
    def unit(self, tenant_id: str, caller: str) -> Iterator[Unit]:
        """Run use cases as one tenant in one transaction: commit at the end, roll back on any exception.

        Args:
            tenant_id: The tenant.
            caller: Who does it, for the record.

        Raises:
            ConfigurationError: Row-level security would not bind the database role.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        self.check_role()
        with self._database.transaction(tenant_id) as connection:
            yield self._bind(connection, tenant_id, caller)

    def desk(self, tenant_id: str, caller: str) -> EngineDesk:
        """Return where a tenant's questions to the engine are asked. To be used outside of any unit of work."""

        @contextmanager
        def tasks() -> Iterator[EngineTaskCatalog]:
            with self.unit(tenant_id, caller) as unit:
                yield unit.tasks

        return EngineDesk(tasks, self._desk_places, timeout_seconds=self._answer_seconds)

    def webhook_inbox(self) -> PostgresWebhookInbox:
        """Return where webhooks are taken in, for every tenant."""
        return PostgresWebhookInbox(self._database, self._secrets)

    def channel_reader(self) -> PostgresChannelReader:
        """Return where channels are read for sending, for every tenant."""
        return PostgresChannelReader(self._database, self._secrets)

    def backfill_inbox(self) -> PostgresBackfillInbox:
        """Return where backfills of webhooks are worked on, for every tenant."""
        return PostgresBackfillInbox(self._database, self._secrets)

    def detector_work(self, *, run_seconds: float) -> PostgresDetectorWork:
        """Return the work of detectors, of every tenant."""
        queries = DetectorQueries(self._database, self._lake)
        return PostgresDetectorWork(self._database, queries, run_seconds=run_seconds)

    def authenticate(self, secret: str) -> ApiKey:
        """Return the key that a caller presents.

        Raises:
            UnauthenticatedError: It is unknown, expired or revoked.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        self.check_role()
        now = utc_now()
        key = find_presented(self._database, hash_secret(secret), now)
        if key is None or not key.usable_at(now):
            raise UnauthenticatedError("the API key is unknown, expired or revoked")
        return key

    def topic_owner(self, topic: str) -> str | None:
        """Return whose topic it is: by its beginning, else by its first pipeline; None: nobody's.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        self.check_role()
        return find_topic_owner(self._database, topic)

    def troubles(self) -> dict[str, str | None]:
        """Ask each store whether it can serve, and return what is wrong with it, None where nothing is."""
        return {"postgresql": self._postgres_trouble(), "redis": self._redis_trouble()}

    def _postgres_trouble(self) -> str | None:
        try:
            self.check_role()
            with self._database.transaction("") as connection:
                return schema_problem(connection)
        except SentinelError as error:
            return error.message

    def _redis_trouble(self) -> str | None:
        try:
            self._redis.ping()
        except RedisError as error:
            return StoreUnavailableError("Redis", first_line(error)).message
        return None

    def _bind(self, connection: Connection, tenant_id: str, caller: str) -> Unit:
        pipelines = PostgresPipelines(connection)
        schemas = PostgresSchemas(connection)
        rules = PostgresRules(connection)
        alerts = PostgresAlerts(connection, monotonic_seconds)
        ledger = PostgresLedgerReader(connection)
        lists = PostgresLists(connection)
        mutes = PostgresMutes(connection)
        scorecards = PostgresScorecards(connection)
        audit = PostgresAudit(connection)
        auditor = Auditor(audit, caller)
        tests = PostgresRuleTests(connection)
        tasks = EngineTaskCatalog(pipelines, PostgresEngineTasks(connection), caller)
        publisher = Publisher(
            pipelines,
            schemas,
            rules,
            lists=lists,
            mutes=mutes,
            scorecards=scorecards,
            tests=RuleTestGate(tests),
            demand=lambda pipeline, condition: demand_backtest(tasks, pipeline, condition, now=utc_now()),
        )
        pipeline_catalog = PipelineCatalog(pipelines, schemas, auditor, caller)
        rule_catalog = RuleCatalog(pipelines, rules, publisher, auditor, caller)
        lifecycle = LifecycleCatalog(rules, rule_catalog, publisher, auditor, caller)
        webhooks = WebhookCatalog(
            tenant_id,
            PostgresWebhookSources(connection, self._secrets),
            pipeline_catalog,
            auditor,
            caller=caller,
            now=utc_now,
        )
        return Unit(
            pipelines=pipeline_catalog,
            schemas=SchemaCatalog(
                pipelines, schemas, rules, publisher, lifecycle=lifecycle, auditor=auditor, caller=caller
            ),
            rules=rule_catalog,
            rule_batch=RuleBatch(rule_catalog, publisher),
            lifecycle=lifecycle,
            quarantines=QuarantineCatalog(
                pipelines, rule_catalog, publisher, PostgresQuarantines(connection), auditor, caller=caller
            ),
            outcomes=PostgresOutcomes(connection),
            lists=ListCatalog(lists, pipelines, publisher, auditor, caller=caller, now=utc_now()),
            mutes=MuteCatalog(pipelines, rules, mutes, publisher, auditor, caller=caller, now=utc_now),
            scorecards=ScorecardCatalog(pipelines, rules, scorecards, publisher, auditor, caller=caller),
            audit=audit,
            keys=KeyCatalog(PostgresApiKeys(connection)),
            scores=ScoreCatalog(
                tenant_id,
                pipelines=pipelines,
                schemas=schemas,
                alerts=alerts,
                ledger=ledger,
                scores=self._scores,
            ),
            alerts=alerts,
            facets=PostgresAlertFacets(connection),
            entity_history=PostgresEntityHistory(connection, alerts, score_ttl_seconds=self._score_ttl_seconds),
            handling=AlertHandling(alerts, PostgresAlertStates(connection), audit, caller=caller, now=utc_now),
            quality=PostgresQuality(connection),
            ledger=ledger,
            answers=PostgresAnswers(connection),
            tests=RuleTestCatalog(
                pipelines, schemas, rules, tests, publisher=publisher, auditor=auditor, caller=caller
            ),
            tasks=tasks,
            backtests=BacktestCatalog(
                pipelines=pipelines,
                schemas=schemas,
                rules=rule_catalog,
                publisher=publisher,
                labels=PostgresLabels(connection),
                tasks=tasks,
                caller=caller,
            ),
            event_routes=EventRouteCatalog(PostgresEventRoutes(connection), pipelines, auditor),
            figures=PostgresFigures(connection),
            periods=PostgresPeriods(connection),
            lake=LakeCatalog(PostgresLakeTables(connection)),
            lake_care=PostgresLakeCare(connection),
            webhooks=webhooks,
            backfills=BackfillCatalog(
                webhooks, PostgresBackfills(connection, self._secrets), auditor, caller=caller, now=utc_now
            ),
            policies=NotificationPolicyCatalog(PostgresPolicies(connection), auditor, caller=caller, now=utc_now),
            silences=SilenceCatalog(PostgresSilences(connection), auditor, caller=caller, now=utc_now),
            deliveries=DeliveryCatalog(PostgresDeliveryReader(connection), auditor, caller=caller, now=utc_now),
            channels=ChannelCatalog(
                PostgresChannels(connection, self._secrets),
                self._channel_rules,
                auditor,
                caller=caller,
                now=utc_now,
                new_secret=new_signing_secret,
            ),
            dead_letters=DeadLetterHandling(
                pipelines, schemas, PostgresDeadLetters(connection), ledger, audit, caller=caller, now=utc_now
            ),
            detectors=DetectorCatalog(
                PostgresDetectors(connection),
                DETECTORS,
                DetectorQueryCheck(connection),
                auditor,
                caller=caller,
                now=utc_now,
            ),
        )
