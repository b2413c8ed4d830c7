"""Usage on the page, without a browser."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from parley_tests.fake_gateway import FakeGateway, problem
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]


def ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


@pytest.fixture
def spent(gateway: FakeGateway) -> FakeGateway:
    gateway.add_usage(ago(0), "demo", "small")
    gateway.add_usage(ago(0), "demo", "small")
    gateway.add_usage(ago(3), "acme", "large", cost=None)
    gateway.add_usage(ago(40), "demo", "small")
    return gateway


def figures(page: AppTest) -> dict[str, str]:
    assert not page.exception
    return {metric.label: metric.value for metric in page.metric}


def test_a_total_and_the_rows_of_it(visit: Visit, spent: FakeGateway) -> None:
    page = visit("usage").run()
    assert figures(page) == {
        "Cost": "$0.00025",
        "Requests": "3",
        "Tokens in": "3,000",
        "Tokens out": "1,500",
    }
    table = page.dataframe[0].value
    assert table["Day"].tolist() == [ago(0), ago(3)]
    assert table["Model"].tolist() == ["demo/small", "acme/large"]
    assert table["Cost"].tolist() == ["$0.00025", "unknown"]
    assert "1 of the requests have no known price" in page.caption[0].value


def test_another_period_is_asked_for(visit: Visit, spent: FakeGateway) -> None:
    page = visit("usage").run()
    page.selectbox("usage_period").select("90 days").run()
    assert figures(page)["Requests"] == "4"
    assert spent.received[-1].query["from"] == ago(89)


def test_one_sees_their_own_and_administrators_everybodys(visit: Visit, spent: FakeGateway) -> None:
    page = visit("usage").run()
    assert "user_id" in spent.received[-1].query
    page.selectbox("usage_whose").select("Everybody's").run()
    assert "user_id" not in spent.received[-1].query


def test_others_are_not_offered_everybodys(visit: Visit, spent: FakeGateway) -> None:
    spent.role = "user"
    page = visit("usage").run()
    assert [one.key for one in page.selectbox] == ["usage_period"]
    assert "user_id" in spent.received[-1].query


@pytest.mark.parametrize(("shown", "height"), [("Tokens", 3000), ("Cost in USD", 0.00025)])
def test_days_are_drawn_by_model(
    visit: Visit, spent: FakeGateway, shown: str, height: float
) -> None:
    page = visit("usage").run()
    page.radio("usage_shown").set_value(shown).run()
    (chart,) = page.get("vega_lite_chart")
    drawn = convert_arrow_bytes_to_pandas_df(chart.proto.data.data).to_dict("records")
    assert json.loads(chart.proto.spec)["encoding"]["y"]["title"] == shown
    assert drawn[-1] == {"day": ago(0), "model": "demo/small", "height": height}
    assert chart.proto.alt.startswith(shown)


def test_nothing_used_is_said_so(visit: Visit) -> None:
    page = visit("usage").run()
    assert page.info[0].value == "Nothing was used in this time."


def test_a_failure_is_explained(visit: Visit, gateway: FakeGateway) -> None:
    gateway.refusals["GET /usage"] = problem(503, "unavailable", "Away.")
    assert "Away" in visit("usage").run().error[0].value


def test_limits_and_budgets_are_drawn_as_bars_in_words(visit: Visit, gateway: FakeGateway) -> None:
    used_up = {"scope": "key", "meter": "daily_cost", "limit": "5", "used": "5", "left": "0"}
    plenty = {"scope": "user", "meter": "requests_per_hour", "limit": 10, "used": 2, "left": 8}
    gateway.me = {"allowances": [plenty, used_up | {"held": "0", "resets_at": None}]}
    page = visit("usage").run()
    assert not page.exception
    assert [bar.proto.value for bar in page.get("progress")] == [20, 100]
    first, second = [bar.proto.text for bar in page.get("progress")]
    assert first == r"Requests per hour\: 2 of 10 used\, 8 left"
    assert second.startswith(":material/block: Spent per day")


def test_administrators_see_who_used_it(visit: Visit, spent: FakeGateway) -> None:
    bea = spent.add_user("bea")["user_id"]
    spent.add_usage(ago(0), "acme", "large", user_id=bea, key_id="k2", cost={"amount": "2"})
    page = visit("usage").run()
    assert len(page.dataframe) == 1
    page.selectbox("usage_whose").select("Everybody's").run()
    table = page.dataframe[1].value
    assert table["User"].tolist() == ["bea", "ada"]
    assert table["Key"].tolist() == ["k2", "k1"]
    assert table["Requests"].tolist() == [1, 3]
