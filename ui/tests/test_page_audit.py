"""The audit log on the page, without a browser."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from parley_tests.fake_gateway import FakeGateway
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {
        "at": f"2026-11-20T10:{number % 60:02}:00+00:00",
        "actor": "ada",
        "key_id": "k1",
        "action": "create_key",
        "outcome": "done",
        "target": f"k{number}",
        "ip": "127.0.0.1",
        "request_id": f"r{number}",
        "details": {"name": "ci"},
        **more,
    }


@pytest.fixture
def log(gateway: FakeGateway) -> FakeGateway:
    bea = gateway.add_user("bea")["user_id"]
    gateway.audit = [
        entry(2, actor=bea, action="update_user", outcome="permission_denied", target=bea),
        entry(1),
        entry(0, actor=None, key_id=None, action="login", outcome="unauthenticated", target=""),
    ]
    return gateway


def column(page: AppTest, name: str) -> list[str]:
    assert not page.exception
    return list(page.dataframe[0].value[name])


def test_what_happened_is_told_newest_first(visit: Visit, log: FakeGateway) -> None:
    page = visit("audit").run()
    assert column(page, "Who") == ["bea", "ada", "nobody"]
    assert column(page, "Did") == ["update_user", "create_key", "login"]
    assert column(page, "To") == ["bea", "k1", ""]
    assert column(page, "Outcome") == ["permission_denied", "done", "unauthenticated"]
    assert column(page, "When")[0] == "2026-11-20 10:02 UTC"
    assert column(page, "More")[1] == "name: ci"


def test_one_looks_for_a_user_an_action_and_a_time(visit: Visit, log: FakeGateway) -> None:
    page = visit("audit").run()
    bea = log.users[0]["user_id"]
    page.selectbox("audit_actor").select(bea)
    page.selectbox("audit_action").select("update_user")
    page.date_input("audit_since").set_value(date(2026, 11, 19))
    page.date_input("audit_last").set_value(date(2026, 11, 20)).run()
    assert log.received[-1].query == {
        "actor": bea,
        "action": "update_user",
        "from": "2026-11-19",
        "to": "2026-11-21",
        "page_size": "50",
    }
    assert column(page, "Who") == ["bea"]


def test_one_turns_pages_and_another_question_begins_anew(
    visit: Visit, gateway: FakeGateway
) -> None:
    gateway.audit = [entry(number) for number in range(120)]
    page = visit("audit").run()
    assert page.button("newer").disabled
    page.button("older").click().run()
    page.button("older").click().run()
    assert column(page, "Request")[0] == "r100"
    assert page.button("older").disabled
    page.button("newer").click().run()
    assert column(page, "Request")[0] == "r50"
    page.selectbox("audit_action").select("create_key").run()
    assert column(page, "Request")[0] == "r0"


def test_nothing_found_is_said_so(visit: Visit) -> None:
    assert visit("audit").run().info[0].value == "Nothing of that kind happened."


def test_others_are_refused(visit: Visit, log: FakeGateway) -> None:
    log.role = "user"
    page = visit("audit").run()
    assert "administrators" in page.error[0].value
    assert len(page.dataframe) == 0
