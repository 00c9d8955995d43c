"""What the overview reads at each refresh, and keeps while the API is away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.components.live import note_seen
from dashboard.components.problems import show_problem
from dashboard.components.shared_reads import shared
from dashboard.session import Visit
from sentinel.client import models
from sentinel.client.client import Client
from sentinel.client.models.figures import Figures
from sentinel.client.models.system import SystemState
from sentinel.errors import SentinelError, StoreUnavailableError, UnauthenticatedError

ALERTS_SHOWN = 50
_LAST = "overview-last"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the live part is about."""

    hours: int
    pipeline_id: int | None
    severity: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """What was read last, for what was asked; rules of one pipeline alone."""

    asked: Asked
    figures: Figures
    system: SystemState
    alerts: Sequence[models.Alert]
    rules: Sequence[models.Rule] = ()


def latest(visit: Visit, asked: Asked) -> Read | None:
    """Return what can be read, else what was read last."""
    try:
        found = _read(visit, asked)
    except UnauthenticatedError:
        # The page asks for a key.
        st.rerun()
    except StoreUnavailableError as error:
        last: Read | None = st.session_state.get(_LAST)
        if last is None:
            show_problem(error)
        note_seen(error)
        return last
    except SentinelError as error:
        show_problem(error)
        return None
    st.session_state[_LAST] = found
    note_seen(at=found.figures.as_of)
    return found


def _read(visit: Visit, asked: Asked) -> Read:
    client = visit.client
    figures = shared(client, ("figures", asked.hours), lambda: client.figures(hours=asked.hours))
    page = shared(
        client,
        ("alerts", asked.pipeline_id, asked.severity),
        lambda: client.list_alerts(limit=ALERTS_SHOWN, pipeline_id=asked.pipeline_id, severity=asked.severity),
    )
    rules = rules_of(client, asked.pipeline_id) if asked.pipeline_id is not None else []
    return Read(asked, figures, shared(client, "system", client.system), page.alerts, rules)


def rules_of(client: Client, pipeline_id: int) -> Sequence[models.Rule]:
    """Return the rules of a pipeline, as of the last second."""
    return shared(client, ("rules", pipeline_id), lambda: client.list_rules(pipeline_id))
