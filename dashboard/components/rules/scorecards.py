"""Scorecards: rules with points, whose sum decides about an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components import links
from dashboard.components.acts import act, say_done
from dashboard.components.problems import show_problem
from dashboard.components.sections import pick_row, table_key
from dashboard.components.text import NO_VALUE, line, sendable, show_text
from dashboard.session import Visit
from sentinel.client import models
from sentinel.errors import InvalidError, SentinelError


def show_scorecards(visit: Visit, pipeline_id: int) -> None:
    """Show the scorecards of a pipeline, and offer to write them."""
    with st.spinner("Reading scorecards…"):
        found = visit.client.list_scorecards(pipeline_id)
    opened = links.chosen("scorecard")
    if found:
        _table(found, opened)
    else:
        st.info(
            "No scorecard yet. One gives points to rules; their sum over the rules that match an event says whether it "
            "is approved, reviewed or declined.",
            icon=":material/info:",
        )
    if visit.may_write:
        with st.expander("Add a scorecard", icon=":material/add:"):
            _form(visit, pipeline_id, None)
    if opened is None:
        return
    card = next((each for each in found if each.id == opened), None)
    if card is None:
        st.warning(f"This pipeline has no scorecard {opened}.", icon=":material/link_off:")
        return
    st.divider()
    _detail(visit, card)


def _table(found: Sequence[models.Scorecard], opened: int | None) -> None:
    ids = [each.id for each in found]
    key = table_key("scorecards", ids)
    st.dataframe(
        [
            {
                "name": line(each.name, 100),
                "on": each.is_active,
                "review from": each.thresholds.review,
                "decline from": each.thresholds.decline,
                "rules": len(each.weights),
                "version": each.version,
            }
            for each in found
        ],
        column_config={"name": st.column_config.TextColumn("scorecard", width="medium")},
        hide_index=True,
        placeholder=NO_VALUE,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        key=key,
        on_select=pick_row(key, ids, "scorecard"),
    )


def _detail(visit: Visit, card: models.Scorecard) -> None:
    st.subheader("Scorecard", anchor=False)
    show_text(f"{card.name} ({card.id}), version {card.version}, {'on' if card.is_active else 'off'}")
    if not visit.may_write:
        st.dataframe(
            [{"rule": line(name, 100), "points": each} for name, each in card.weights.items()],
            hide_index=True,
            placeholder=NO_VALUE,
        )
        return
    st.button(
        "Switch it off" if card.is_active else "Switch it on",
        icon=":material/power_settings_new:",
        key=f"scorecard-switch-{card.id}",
        on_click=lambda: act(
            "Switched",
            lambda: visit.client.set_scorecard_status(card.id, not card.is_active, if_version=card.row_version),
        ),
    )
    _form(visit, card.pipeline_id, card)


def _form(visit: Visit, pipeline_id: int, card: models.Scorecard | None) -> None:
    key = f"scorecard-{pipeline_id}-{'new' if card is None else f'{card.id}-{card.row_version}'}"
    names = [each.name for each in visit.client.list_rules(pipeline_id)]
    weights: Mapping[str, int] = card.weights if card else {}
    with st.form(key, border=False):
        name = "" if card else st.text_input("Name", key=f"{key}-name", max_chars=64, placeholder="card_risk")
        rows = st.data_editor(
            [{"rule": each, "points": points} for each, points in weights.items()] or [{"rule": None, "points": None}],
            num_rows="dynamic",
            column_config={
                "rule": st.column_config.SelectboxColumn("rule", options=sorted({*names, *weights}), required=True),
                "points": st.column_config.NumberColumn("points", step=1, required=True),
            },
            hide_index=True,
            key=f"{key}-weights",
        )
        row = st.columns(2)
        review = row[0].number_input("Review from", value=card.thresholds.review if card else 50, key=f"{key}-review")
        decline = row[1].number_input(
            "Decline from", value=card.thresholds.decline if card else 80, key=f"{key}-decline"
        )
        if not st.form_submit_button("Write the next version" if card else "Add it", type="primary"):
            return
    try:
        with st.spinner("Writing…"):
            points = _points(rows)
            if card is None:
                made = visit.client.add_scorecard(
                    pipeline_id, sendable(name.strip()), points, review=int(review), decline=int(decline)
                )
            else:
                made = visit.client.change_scorecard(
                    card.id, points, review=int(review), decline=int(decline), if_version=card.row_version
                )
    except SentinelError as error:
        show_problem(error)
        return
    links.keep({"scorecard": made.id})
    say_done(f"Version {made.version} is written")
    st.rerun()


def _points(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the points by rule.

    Raises:
        InvalidError: A rule stands there twice.
    """
    found: dict[str, int] = {}
    for each in rows:
        if each.get("rule") is None or each.get("points") is None:
            continue
        if each["rule"] in found:
            raise InvalidError(f"the rule {each['rule']!r} stands there twice; leave one of them out")
        found[str(each["rule"])] = int(each["points"])
    return found
