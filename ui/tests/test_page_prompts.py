"""System prompts on the page, without a browser."""

from collections.abc import Callable

import pytest
from parley_tests.fake_gateway import FakeGateway
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.unit

Visit = Callable[..., AppTest]


@pytest.fixture
def library(visit: Visit, gateway: FakeGateway) -> AppTest:
    gateway.add_prompt("Pirate", "Arr.", description="Talks like one")
    return visit("prompts").run()


def labels(page: AppTest) -> list[str]:
    assert not page.exception
    return [expander.label for expander in page.expander]


def submit(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()


def test_the_library_shows_what_is_active_and_what_is_shared(library: AppTest) -> None:
    assert labels(library) == [
        "New prompt",
        "**Default** :green-badge[Active] :gray-badge[Shared]",
        "**Code assistant** :gray-badge[Shared]",
        "**Research assistant** :gray-badge[Shared]",
        "**Pirate**",
    ]


def test_a_prompt_is_created(library: AppTest, gateway: FakeGateway) -> None:
    library.text_input("new_name").set_value("Poet")
    library.text_area("new_content").set_value("Rhyme.")
    submit(library, "Create")
    assert gateway.prompts["poet"]["content"] == "Rhyme."
    assert labels(library)[-1] == "**Poet**"


def test_a_prompt_without_a_text_is_not_created(library: AppTest, gateway: FakeGateway) -> None:
    library.text_input("new_name").set_value("Poet")
    submit(library, "Create")
    assert library.warning[0].value == "A prompt needs a name and a text."
    assert "poet" not in gateway.prompts


def test_a_name_that_is_taken_is_explained(library: AppTest) -> None:
    library.text_input("new_name").set_value("Pirate")
    library.text_area("new_content").set_value("Arr?")
    submit(library, "Create")
    assert "Choose another name" in library.error[0].value


def test_a_prompt_is_changed(library: AppTest, gateway: FakeGateway) -> None:
    library.text_area("content_pirate_1").set_value("Arr!")
    submit(library, "Save")
    assert gateway.prompts["pirate"]["content"] == "Arr!"
    assert library.text_area("content_pirate_2").value == "Arr!"


def test_a_prompt_is_activated(library: AppTest, gateway: FakeGateway) -> None:
    library.button("activate_pirate").click().run()
    assert gateway.active == "pirate"
    assert library.button("activate_pirate").label == "In use"


def test_a_prompt_is_deleted_once_confirmed(library: AppTest, gateway: FakeGateway) -> None:
    library.button("confirm_pirate").click().run()
    assert "pirate" not in gateway.prompts
    assert "**Pirate**" not in labels(library)


def test_a_shared_prompt_can_only_be_used(library: AppTest) -> None:
    assert library.code[0].value == "You are the default prompt."
    keys = {button.key for button in library.button}
    assert "activate_code-assistant" in keys
    assert "confirm_code-assistant" not in keys


def test_the_sidebar_changes_the_active_prompt(page: AppTest, gateway: FakeGateway) -> None:
    page.session_state["system_prompt"] = True
    page.run().selectbox("active_default_1").select("code-assistant").run()
    assert gateway.active == "code-assistant"
    page.text_area("active_text_code-assistant_1").set_value("Be brief.")
    submit(page, "Use this text")
    assert (gateway.active, gateway.prompts["custom"]["content"]) == ("custom", "Be brief.")
    assert "System prompt: **Custom**" in labels(page)
