"""Pipelines as a table, with how far each is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import streamlit as st

from dashboard.components import links
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line
from dashboard.session import Visit
from sentinel.client import models

LAG_HELP = "The lag: records in the topic that no rule has seen yet. Unknown where no job runs to say."
PROCESSED_HELP = "Records of the topic that all rules have seen, and those that were no events."
Known: TypeAlias = models.Progress | models.PipelineProgress


def lag_of(progress: Known | None) -> int | None:
    """Return how many records wait, as the job said last; None where none runs or it has not said."""
    if progress is None or progress.job is None or not progress.job.is_running:
        return None
    lag = progress.job.details.get("lag_records")
    return lag if isinstance(lag, int) else None


def job_of(progress: Known | None) -> str:
    """Say in words whether a job runs a pipeline."""
    if progress is None:
        return ""
    return "running" if progress.job is not None and progress.job.is_running else "not running"


def show_pipelines(visit: Visit, pipelines: Sequence[models.Pipeline], opened: int | None) -> None:
    """Show pipelines, newest first. The one whose row is chosen stands in the address."""
    shown = sorted(pipelines, key=lambda each: -each.id)
    with st.spinner("Asking how far they are…"):
        progress = {each.pipeline_id: each for each in visit.client.list_progress()}
    ids = [each.id for each in shown]
    key = table_key("pipelines", ids)
    st.dataframe(
        [
            {
                "id": each.id,
                "name": line(each.name, 100),
                "status": each.status,
                "job": job_of(progress.get(each.id)),
                "lag": lag_of(progress.get(each.id)),
                "rate": progress[each.id].per_second if each.id in progress else None,
                "processed": progress[each.id].decided_records if each.id in progress else None,
                "alerts": each.alert_count,
                "topic": line(each.kafka_topic, 100),
                "schema": each.schema_version,
            }
            for each in shown
        ],
        column_config={
            "id": st.column_config.NumberColumn("id", width="small"),
            "name": st.column_config.TextColumn("pipeline", width="medium"),
            "lag": st.column_config.NumberColumn("records waiting", format="localized", help=LAG_HELP),
            "rate": st.column_config.NumberColumn("records/s", format="%.1f", help="Of the last five whole minutes."),
            "processed": st.column_config.NumberColumn("records processed", format="localized", help=PROCESSED_HELP),
            "alerts": st.column_config.NumberColumn("alerts", format="localized"),
            "schema": st.column_config.NumberColumn("schema version", width="small"),
        },
        hide_index=True,
        placeholder=NO_VALUE,
        height=min(38 + 35 * len(shown), 400),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=_pick(key, ids),
    )


def _pick(key: str, ids: Sequence[int]) -> Callable[[], None]:
    """Open another pipeline, at the schema that is in force there."""
    pick = pick_row(key, ids, "pipeline")

    def chosen() -> None:
        pick()
        links.keep({"schema": None})

    return chosen
