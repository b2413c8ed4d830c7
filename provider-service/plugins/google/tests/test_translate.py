"""Our types become the vendor's and back, piece by piece."""

from typing import Any

import orjson
import pytest
from parley_provider_google.signatures import UNSIGNED, given, kept
from parley_provider_google.translate import body, encode, finish_reason, path, usage
from parley_provider_sdk import (
    BadRequest,
    Effort,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    OutputFormat,
    Part,
    ReasoningPart,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    ToolResultPart,
    Usage,
)

pytestmark = pytest.mark.unit

HI = Message(Role.USER, [TextPart("Hi")])
ADD = ToolCallPart("c1", "add", '{"a":1}')
OF_ANOTHER = b'{"signature":"of another vendor"}'


def ask(*messages: Message, model: str = "gemini-2.5-flash", **changes: Any) -> ReplyRequest:
    return ReplyRequest(model, messages or (HI,), **changes)


def said(*messages: Message, model: str = "gemini-2.5-flash") -> list[Any]:
    return list(body(ask(*messages, model=model))["contents"])


def assistant(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def results(*parts: Part) -> Message:
    return Message(Role.TOOL, parts)


@pytest.mark.parametrize(
    ("model", "stream", "expected"),
    [
        ("gemini-x", True, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"),
        ("gemini-x", False, "/v1beta/models/gemini-x:generateContent"),
        ("models/gemini-x", False, "/v1beta/models/gemini-x:generateContent"),
        ("tunedModels/mine", False, "/v1beta/tunedModels/mine:generateContent"),
        ("../../x?y#z", False, "/v1beta/models/..%2F..%2Fx%3Fy%23z:generateContent"),
        ("models/../x", False, "/v1beta/models/..%2Fx:generateContent"),
    ],
)
def test_a_model_has_its_path_and_leads_nowhere_else(
    model: str, stream: bool, expected: str
) -> None:
    assert expected == path(ask(model=model, stream=stream))


def test_what_is_not_asked_for_is_not_sent() -> None:
    assert {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]} == body(ask())


def test_texts_images_and_files_are_parts() -> None:
    image = ImagePart("image/png", b"\x00\xff\xfe")
    file = FilePart("application/pdf", b"%PDF", "a.pdf")
    assert said(Message(Role.USER, [TextPart("See"), TextPart(""), image, file])) == [
        {
            "role": "user",
            "parts": [
                {"text": "See"},
                {"inlineData": {"mimeType": "image/png", "data": "AP/+"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
            ],
        }
    ]
    assert said(assistant(image))[0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AP/+"}}
    ]


def test_a_message_of_nothing_is_no_turn() -> None:
    nothing = assistant(TextPart(""), ReasoningPart("hm"), ReasoningPart("hm", OF_ANOTHER))
    empty = Message(Role.USER, [TextPart("")])
    assert [{"role": "user", "parts": [{"text": "Hi"}]}] == said(HI, nothing, empty)


@pytest.mark.parametrize("part", [ToolCallPart("c", "n", ""), ReasoningPart("hm")])
def test_a_users_message_cannot_hold_what_models_say(part: Part) -> None:
    with pytest.raises(BadRequest, match=type(part).__name__):
        said(Message(Role.USER, [part]))


def test_signatures_go_back_with_the_part_that_they_came_with() -> None:
    parts = said(
        assistant(
            ReasoningPart("hm", kept("s1")),
            TextPart("Let me ", UNSIGNED),
            TextPart("see.", kept("s2")),
            TextPart("", kept("s3")),
            ToolCallPart("c1", "add", '{"a":1}', kept("s4")),
        )
    )[0]["parts"]
    assert parts == [
        {"text": "hm", "thought": True, "thoughtSignature": "s1"},
        {"text": "Let me "},
        {"text": "see.", "thoughtSignature": "s2"},
        {"text": "", "thoughtSignature": "s3"},
        {
            "functionCall": {"id": "c1", "name": "add", "args": {"a": 1}},
            "thoughtSignature": "s4",
        },
    ]


@pytest.mark.parametrize(
    "metadata", [b"", b"{", b"7", b"{}", b'{"thoughtSignature":7}', OF_ANOTHER]
)
def test_what_is_no_signature_of_ours_is_none(metadata: bytes) -> None:
    assert "" == given(metadata)


def test_another_vendors_calls_are_marked_for_models_that_want_signatures() -> None:
    turns = [assistant(ADD, ADD), assistant(ToolCallPart("c2", "now", "", kept("s")), ADD)]
    unsigned, signed = (
        [part.get("thoughtSignature") for part in turn["parts"]]
        for turn in said(*turns, model="gemini-3-flash-preview")
    )
    assert ["skip_thought_signature_validator", None] == unsigned
    assert ["s", None] == signed
    assert "thoughtSignature" not in said(turns[0])[0]["parts"][0]


def test_results_stand_in_one_turn_by_the_names_of_their_calls() -> None:
    calls = assistant(ADD, ToolCallPart("parley-call-r-1", "now", ""))
    one, other = ToolResultPart("c1", "2"), ToolResultPart("parley-call-r-1", "late", is_error=True)
    answers = {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "c1", "name": "add", "response": {"output": "2"}}},
            {"functionResponse": {"name": "now", "response": {"error": "late"}}},
        ],
    }
    parts = [
        {"functionCall": {"id": "c1", "name": "add", "args": {"a": 1}}},
        {"functionCall": {"name": "now", "args": {}}},
    ]
    expected = [{"role": "model", "parts": parts}, answers]
    assert expected == said(calls, results(one), results(other))
    assert expected == said(calls, Message(Role.USER, [one, other]))
    spoken = said(calls, Message(Role.USER, [one, other, TextPart("Go on.")]), calls, results(one))
    assert [*expected, {"role": "user", "parts": [{"text": "Go on."}]}] == spoken[:3]
    assert {"role": "user", "parts": [answers["parts"][0]]} == spoken[4]


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(BadRequest, match="no call"):
        said(results(ToolResultPart("c1", "2")))


@pytest.mark.parametrize(
    ("text", "arguments"),
    [("", {}), ('{"a":1}', {"a": 1}), ("[1]", {"arguments": [1]}), ("{ha", {"arguments": "{ha"})],
)
def test_arguments_are_an_object_whatever_the_model_wrote(text: str, arguments: Any) -> None:
    call = said(assistant(ToolCallPart("c", "n", text)))[0]["parts"][0]["functionCall"]
    assert arguments == call["args"]


def test_every_parameter_has_its_place() -> None:
    made = body(
        ask(
            system="Be brief.",
            temperature=0.0,
            max_tokens=9,
            top_p=0.5,
            seed=7,
            stop=("END",),
            reasoning_effort=Effort.LOW,
            output=OutputFormat('{"type":"object"}'),
        )
    )
    assert {"role": "user", "parts": [{"text": "Be brief."}]} == made["systemInstruction"]
    assert made["generationConfig"] == {
        "temperature": 0.0,
        "maxOutputTokens": 9,
        "topP": 0.5,
        "seed": 7,
        "stopSequences": ["END"],
        "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True},
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }


def test_json_without_a_schema_is_any_json() -> None:
    made = body(ask(output=OutputFormat()))["generationConfig"]
    assert {"responseMimeType": "application/json"} == made


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice(), None),
        (ToolChoice(ToolMode.NONE), {"mode": "NONE"}),
        (ToolChoice(ToolMode.REQUIRED), {"mode": "ANY"}),
        (ToolChoice(ToolMode.NAMED, "add"), {"mode": "ANY", "allowedFunctionNames": ["add"]}),
    ],
)
def test_tools_and_their_choice(choice: ToolChoice, config: Any) -> None:
    tools = [Tool("add", "Adds.", '{"type":"object"}'), Tool("now")]
    made = body(ask(tools=tools, tool_choice=choice))
    add = {"name": "add", "description": "Adds.", "parametersJsonSchema": {"type": "object"}}
    assert [{"functionDeclarations": [add, {"name": "now"}]}] == made["tools"]
    assert config == made.get("toolConfig", {}).get("functionCallingConfig")


def test_a_choice_among_no_tools_is_left_to_the_vendor_to_refuse() -> None:
    assert "toolConfig" not in body(ask(tool_choice=ToolChoice(ToolMode.NONE)))
    assert "toolConfig" in body(ask(tool_choice=ToolChoice(ToolMode.REQUIRED)))


def test_options_pass_but_change_nothing_that_has_a_name() -> None:
    options = {
        "safetySettings": [{"category": "x"}],
        "contents": [],
        "tools": [{"googleSearch": {}}],
        "generationConfig": {"topK": 4, "temperature": 2},
    }
    made = body(ask(provider_options=options, temperature=0.0, tools=[Tool("now")]))
    assert [{"category": "x"}] == made["safetySettings"]
    assert 1 == len(made["contents"])
    assert [{"googleSearch": {}}, {"functionDeclarations": [{"name": "now"}]}] == made["tools"]
    assert {"topK": 4, "temperature": 0.0} == made["generationConfig"]


@pytest.mark.parametrize("options", [{"generationConfig": 7}, {"tools": 7}])
def test_options_that_cannot_be_added_to_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="The option"):
        body(ask(provider_options=options, tools=[Tool("now")]))


@pytest.mark.parametrize(
    "request_",
    [
        ask(Message(Role.USER, [TextPart("\ud800")])),
        ask(tools=[Tool("t", "", "{")]),
        ask(output=OutputFormat("{")),
    ],
)
def test_what_cannot_be_sent_is_refused(request_: ReplyRequest) -> None:
    with pytest.raises(BadRequest):
        encode(request_)


def test_a_body_is_json() -> None:
    assert "Hi" == orjson.loads(encode(ask()))["contents"][0]["parts"][0]["text"]


def test_counts_are_added_up() -> None:
    counts = {
        "promptTokenCount": 9,
        "toolUsePromptTokenCount": 1,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 4,
    }
    assert Usage(10, 8, cached_input_tokens=4, reasoning_tokens=3) == usage(counts)
    assert Usage(0, 0) == usage({})


FILTERED = [
    "SAFETY",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "RECITATION",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "ESCALATION",
]
OTHER = [
    "OTHER",
    "LANGUAGE",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
    "SOMETHING_NEW",
]


@pytest.mark.parametrize(
    ("word", "called", "reason"),
    [
        ("STOP", False, FinishReason.STOP),
        ("STOP", True, FinishReason.TOOL),
        ("MAX_TOKENS", True, FinishReason.LENGTH),
        ("CONTINUATION", False, FinishReason.LENGTH),
        *((word, False, FinishReason.FILTERED) for word in FILTERED),
        *((word, True, FinishReason.OTHER) for word in OTHER),
    ],
)
def test_reasons_have_our_names(word: str, called: bool, reason: FinishReason) -> None:
    assert reason == finish_reason(word, called=called)
