"""The provider says what it needs, and takes nothing that cannot work."""

import parley_provider_ollama
import pytest
from parley_provider_ollama.settings import OllamaSettings
from parley_provider_sdk import InvalidSettings, collect, fill_settings, missing_settings

pytestmark = pytest.mark.unit


def test_the_plugin_registers_one_provider() -> None:
    (registration,) = collect(parley_provider_ollama)
    info = registration.info
    assert ("ollama", True, True, True) == (info.name, info.free, info.detected, info.shares_loop)
    assert 300 == info.first_token_seconds


def test_nothing_is_needed() -> None:
    settings = fill_settings(OllamaSettings, {})
    assert () == missing_settings(settings)
    assert "http://localhost:11434" == settings.address


@pytest.mark.parametrize("pasted", ["", "/", "/api", "/api/", "/v1", "/v1/"])
def test_what_is_pasted_along_with_an_address_does_not_matter(pasted: str) -> None:
    assert "http://gpu:11434/a" == OllamaSettings(base_url=f"http://gpu:11434/a{pasted}").address


def test_the_advice_names_the_place_and_no_password() -> None:
    advice = OllamaSettings(base_url="http://me:password@gpu:11434/api").advice
    assert "`ollama serve`" in advice
    assert "http://gpu:11434." in advice
    assert "password" not in advice


@pytest.mark.parametrize(
    ("text", "sent"), [("", None), ("300", 300), ("-1", -1), ("5m", "5m"), ("1h30m", "1h30m")]
)
def test_how_long_a_model_stays_is_said_as_the_wire_has_it(text: str, sent: object) -> None:
    assert sent == OllamaSettings(keep_alive=text).kept


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"OLLAMA_BASE_URL": "localhost:11434"}, "OLLAMA_BASE_URL"),
        ({"OLLAMA_BASE_URL": "file:///etc"}, "OLLAMA_BASE_URL"),
        ({"OLLAMA_BASE_URL": "http://"}, "OLLAMA_BASE_URL"),
        ({"OLLAMA_API_KEY": "sk-é"}, "OLLAMA_API_KEY"),
        ({"OLLAMA_API_KEY": "sk-a\nX: y"}, "OLLAMA_API_KEY"),
        ({"OLLAMA_API_KEY": "sk a"}, "OLLAMA_API_KEY"),
        ({"OLLAMA_NUM_CTX": "-1"}, "OLLAMA_NUM_CTX"),
        ({"OLLAMA_NUM_CTX": "many"}, "OLLAMA_NUM_CTX"),
        ({"OLLAMA_KEEP_ALIVE": "a while"}, "OLLAMA_KEEP_ALIVE"),
    ],
)
def test_what_cannot_work_is_refused_unseen(values: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidSettings, match=name) as caught:
        fill_settings(OllamaSettings, values)
    assert not [value for value in values.values() if value in str(caught.value)]
