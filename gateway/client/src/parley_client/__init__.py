"""The typed client of the gateway's HTTP.

with Client("http://127.0.0.1:8000", key) as client:
    for event in client.stream_chat("Hello"):
        ...
"""

from parley_client.calls import Call, ChatOptions
from parley_client.client import AsyncClient, Client
from parley_client.errors import (
    FieldError,
    GatewayUnreachable,
    ParleyError,
    ProblemError,
    UnexpectedAnswer,
)
from parley_client.types import (
    About,
    ActivePrompt,
    Budgets,
    Chat,
    Cost,
    Health,
    History,
    Key,
    Limits,
    Me,
    Message,
    Model,
    NewKey,
    Page,
    Plugin,
    Price,
    Prompt,
    Provider,
    ProviderHealth,
    ReasoningDelta,
    Reply,
    TextDelta,
    TurnEnd,
    TurnEvent,
    TurnStart,
    Usage,
    User,
)
from parley_client.wire import Timeouts

__all__ = [
    "About",
    "ActivePrompt",
    "AsyncClient",
    "Budgets",
    "Call",
    "Chat",
    "ChatOptions",
    "Client",
    "Cost",
    "FieldError",
    "GatewayUnreachable",
    "Health",
    "History",
    "Key",
    "Limits",
    "Me",
    "Message",
    "Model",
    "NewKey",
    "Page",
    "ParleyError",
    "Plugin",
    "Price",
    "ProblemError",
    "Prompt",
    "Provider",
    "ProviderHealth",
    "ReasoningDelta",
    "Reply",
    "TextDelta",
    "Timeouts",
    "TurnEnd",
    "TurnEvent",
    "TurnStart",
    "UnexpectedAnswer",
    "Usage",
    "User",
]
