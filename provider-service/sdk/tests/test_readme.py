"""The provider in the README is a provider."""

import re
from pathlib import Path
from types import ModuleType

import pytest
from parley_provider_sdk import (
    Message,
    Provider,
    ReplyRequest,
    Role,
    TextPart,
    collect,
    fill_settings,
    missing_settings,
)
from parley_provider_sdk.testing import fold

pytestmark = pytest.mark.unit

README = Path(__file__).parent.parent / "README.md"


async def test_the_first_provider_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    module = ModuleType("parley_provider_shout")
    exec(compile(code, str(README), "exec"), vars(module))  # noqa: S102  (it is our own text)
    (registration,) = collect(module)
    settings: object = fill_settings(registration.info.settings, {"SHOUT_MARK": "?!"})
    provider = registration.create(settings)
    request = ReplyRequest("shout-1", [Message(Role.USER, [TextPart("good morning")])])
    assert missing_settings(settings) == ()
    assert isinstance(provider, Provider)
    assert (await fold(provider.chat_completion(request))).text == "GOOD MORNING?!"


def test_it_fits_in_thirty_lines_of_code() -> None:
    code = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 30
