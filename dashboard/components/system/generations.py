"""The ledger's generations of a pipeline."""

from __future__ import annotations

import streamlit as st

from dashboard.components.text import NO_VALUE, line
from dashboard.components.times import time_column
from dashboard.session import Visit

GENERATIONS = 20


def show_generations(visit: Visit, pipeline_id: int) -> None:
    """Show what answered for a pipeline's records, newest first."""
    st.caption(
        "A generation is one version of the schema, the rules and the lists, compiled into a running query. A change "
        "of any begins the next one; which of them judged a record is known for every record."
    )
    found = visit.client.generations(pipeline_id, limit=GENERATIONS)
    if not found:
        st.info("No job has run this pipeline yet.", icon=":material/info:")
        return
    st.dataframe(
        [
            {
                "began": each.started_at,
                "state": line(each.state, 40),
                "schema": each.schema_version,
                "rule set": each.rule_set_version,
                "mode": line(each.mode, 40),
                "why": line(each.reason, 200),
                "error": line(each.error or "", 500),
            }
            for each in found
        ],
        column_config={"began": time_column("began")},
        hide_index=True,
        placeholder=NO_VALUE,
    )
    if len(found) == GENERATIONS:
        st.caption(f"The newest {GENERATIONS}.")
