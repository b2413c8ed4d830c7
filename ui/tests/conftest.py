"""A gateway to talk to, and the page as its readers find it, without a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import parley_ui
import pytest
import streamlit as st
from parley_tests.fake_gateway import FakeGateway, fake_gateway
from streamlit.testing.v1 import AppTest

APP = Path(parley_ui.__file__).parent / "app.py"


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as fake:
        yield fake


@pytest.fixture
def visit(gateway: FakeGateway) -> Iterator[Callable[..., AppTest]]:
    """Returns what opens the page as a new visit, with these parameters in its URL.

    AppTest cannot go to a page that is a function, so one view can be opened by itself.
    """

    def open_page(view: str = "", **parameters: str) -> AppTest:
        script = (
            f"from parley_ui.views import {view}, trouble\nwith trouble.explained(): {view}.page()"
        )
        page = AppTest.from_string(script) if view else AppTest.from_file(str(APP))
        page.default_timeout = 30
        page.secrets |= {"api_url": gateway.url, "api_key": gateway.key, "key_file": "/no/such"}
        page.secrets["sign_in"] = False
        page.query_params.update(parameters)
        return page

    yield open_page
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def page(visit: Callable[..., AppTest]) -> AppTest:
    return visit()
