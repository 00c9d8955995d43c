"""`sentinel resume-source`: go on although the topic lacks records."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.domain.generation import topic_id_of
from sentinel.domain.source_gap import gap_between
from sentinel.errors import ConflictError
from sentinel.settings import Settings
from sentinel.stores.postgres.archive_ledger import ArchiveLedger
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.stores.postgres.source_decisions import SourceDecisionStore
from sentinel.streaming.topics import Topics


def resume_source(
    pipeline_id: Annotated[int, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why it is right to go on without the lost records; recorded.")],
) -> None:
    """Go on after the topic was cut, deleted or recreated: skip what is lost, and record who decided so."""
    settings = Settings.load()
    database = Database(settings.postgres, pool_size=1)
    database.open()
    topics = Topics(settings.kafka, group_id="sentinel-resume-source")
    try:
        snapshot = SnapshotStore(database, settings.tenant).current(pipeline_id)
        progress = LedgerStore(database, settings.tenant).read_progress(pipeline_id)
        decided = {partition: known.next_offset for partition, known in progress.items()}
        ranges = topics.ranges(snapshot.kafka_topic)
        gap = gap_between(decided, ranges, (topic_id_of(progress.values()), topics.topic_id(snapshot.kafka_topic)))
        ends = ArchiveLedger(database, settings.tenant, pipeline_id).archived_ends(snapshot.source_epoch)
        archived = {partition: ends.get(partition, known.first_offset) for partition, known in progress.items()}
        lost_in_lake = gap_between(archived, ranges).lost
        if not gap and not lost_in_lake:
            raise ConflictError(f"the topic {snapshot.kafka_topic!r} holds everything that is to be read next")
        SourceDecisionStore(database, settings.tenant).accept(
            pipeline_id, gap, lost_in_lake, archived, reason=reason, decided_by=getpass.getuser()
        )
    finally:
        topics.close()
        database.close()
    if gap:
        say(f"pipeline {pipeline_id} goes on without: {gap}")
    for partition, (start, low) in sorted(lost_in_lake.items()):
        say(f"the lake goes on without offsets {start} to {low - 1} of partition {partition}")
