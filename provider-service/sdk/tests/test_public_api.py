"""What the SDK offers is what it lists."""

import types
from dataclasses import fields

import parley_provider_sdk
import pytest
from parley_provider_sdk import ReplyRequest
from parley_provider_sdk.types import FilePart, ImagePart

pytestmark = pytest.mark.unit


def test_all_lists_everything_visible() -> None:
    visible = {
        name
        for name, value in vars(parley_provider_sdk).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert visible == set(parley_provider_sdk.__all__)


def test_a_request_needs_only_a_model_and_messages() -> None:
    request = ReplyRequest("any", ())
    assert {one.name for one in fields(request)} >= {"model", "messages", "limits"}
    assert request.stream


@pytest.mark.parametrize("part", [ImagePart("image/png", b"pixels"), FilePart("a/b", b"pixels")])
def test_bytes_stay_out_of_repr(part: object) -> None:
    assert "pixels" not in repr(part)
