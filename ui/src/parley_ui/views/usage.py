"""What was used and what it cost: by day and by model."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import streamlit as st
from parley_client import UsageReport, UsageRow, UsageTotal

from parley_ui import reads, visitor
from parley_ui.figures import money
from parley_ui.views import allowances, trouble

PERIODS: Mapping[str, int] = MappingProxyType({"7 days": 7, "30 days": 30, "90 days": 90})
MINE, EVERYBODY = "Mine", "Everybody's"


def page() -> None:
    """Draws the total of a period, its days in a chart, and its models in a table."""
    st.title("Usage", anchor=False)
    with trouble.explained():
        allowances.draw()
    with st.container(horizontal=True):
        user_id = _whose()
        days = PERIODS[st.selectbox("Period", PERIODS, index=1, key="usage_period", width=180)]
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    report = reads.usage(("day", "provider", "model"), since, user_id)
    if not report.rows:
        st.info("Nothing was used in this time.", icon=":material/info:")
        return
    _total(report.total)
    with trouble.explained():
        _chart(report)
        _table(report)
    if user_id is None:
        with trouble.explained():
            _people(reads.usage(("user", "key"), since, None))


def _whose() -> str | None:
    """Returns whose usage is asked for; administrators may ask for everybody's."""
    me = reads.me()
    if not visitor.is_admin(me):
        return me.user_id
    chosen = st.selectbox("Whose", (MINE, EVERYBODY), key="usage_whose", width=180)
    return None if chosen == EVERYBODY else me.user_id


def _total(total: UsageTotal) -> None:
    with st.container(horizontal=True):
        st.metric("Cost", money(total.cost), border=True)
        st.metric("Requests", f"{total.requests:,}", border=True)
        st.metric("Tokens in", f"{total.input_tokens:,}", border=True)
        st.metric("Tokens out", f"{total.output_tokens:,}", border=True)
    if total.unpriced_requests:
        st.caption(
            f":material/warning: {total.unpriced_requests:,} of the requests have no known price "
            "and are not in the cost."
        )


def _chart(report: UsageReport) -> None:
    st.subheader("By day", anchor=False)
    shown = st.radio("Shown", ("Tokens", "Cost in USD"), horizontal=True, key="usage_shown")
    rows = [
        {"day": row.day, "model": _model(row), "height": _height(row, shown)} for row in report.rows
    ]
    st.vega_lite_chart(
        {"data": {"values": rows}, **bars(shown)},
        alt=f"{shown} of each day by model; the same figures are in the table below",
    )


def bars(title: str) -> dict[str, Any]:
    """Returns a chart of days, each a bar of its models; days are UTC's wherever it is read."""
    legend = {"orient": "bottom", "columns": 1, "title": None}
    return {
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "x": {
                "field": "day",
                "type": "temporal",
                "timeUnit": "utcyearmonthdate",
                "title": None,
            },
            "y": {"field": "height", "type": "quantitative", "title": title},
            "color": {"field": "model", "type": "nominal", "title": "Model", "legend": legend},
        },
    }


def _table(report: UsageReport) -> None:
    st.subheader("By day and model", anchor=False)
    rows = [
        {"Day": row.day, "Model": _model(row), **_figures(row)} for row in reversed(report.rows)
    ]
    _draw_table(rows, "Usage by day and model, the newest day first")


def _people(report: UsageReport) -> None:
    st.subheader("By user and key", anchor=False)
    names = reads.names()
    dearest = sorted(report.rows, key=lambda row: row.cost.amount, reverse=True)
    rows = [
        {"User": names.get(row.user_id or "", row.user_id), "Key": row.key_id, **_figures(row)}
        for row in dearest
    ]
    _draw_table(rows, "Usage by user and key, the dearest first")


def _figures(row: UsageRow) -> dict[str, int | str]:
    return {
        "Requests": row.requests,
        "Tokens in": row.input_tokens,
        "Tokens out": row.output_tokens,
        "Cost": _cost(row),
    }


def _draw_table(rows: list[dict[str, Any]], alt: str) -> None:
    figures = ("Requests", "Tokens in", "Tokens out")
    columns = {name: st.column_config.NumberColumn(format="localized") for name in figures}
    st.dataframe(rows, hide_index=True, column_config=columns, alt=alt)


def _model(row: UsageRow) -> str:
    return f"{row.provider}/{row.model}"


def _height(row: UsageRow, shown: str) -> float:
    if shown == "Tokens":
        return row.input_tokens + row.output_tokens
    return float(row.cost.amount)


def _cost(row: UsageRow) -> str:
    if row.unpriced_requests == row.requests and not row.cost.amount:
        return "unknown"
    more = " and more" if row.unpriced_requests else ""
    return f"{money(row.cost)}{more}"
