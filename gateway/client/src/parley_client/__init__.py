"""The typed client of the gateway's HTTP.

with Client("http://127.0.0.1:8000", key) as client:
    for event in client.stream_chat("Hello"):
        ...
"""

from parley_client.account_calls import UserChange
from parley_client.accounts import (
    Allowance,
    AuditEntry,
    Budgets,
    Key,
    Limits,
    Me,
    NewKey,
    User,
)
from parley_client.call import Call
from parley_client.calls import ChatOptions
from parley_client.client import AsyncClient, Client
from parley_client.errors import (
    FieldError,
    GatewayUnreachable,
    ParleyError,
    ProblemError,
    UnexpectedAnswer,
)
from parley_client.ledger import Attempt, UsageRecord, UsageReport, UsageRow, UsageTotal
from parley_client.types import (
    About,
    ActivePrompt,
    Alias,
    Chat,
    Configuration,
    Cost,
    Credential,
    Health,
    History,
    Message,
    Model,
    Page,
    Plugin,
    Price,
    Prompt,
    Provider,
    ProviderHealth,
    ReasoningDelta,
    Reply,
    Rotation,
    TextDelta,
    TurnEnd,
    TurnEvent,
    TurnStart,
    Usage,
)
from parley_client.wire import Timeouts

__all__ = [
    "About",
    "ActivePrompt",
    "Alias",
    "Allowance",
    "AsyncClient",
    "Attempt",
    "AuditEntry",
    "Budgets",
    "Call",
    "Chat",
    "ChatOptions",
    "Client",
    "Configuration",
    "Cost",
    "Credential",
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
    "Rotation",
    "TextDelta",
    "Timeouts",
    "TurnEnd",
    "TurnEvent",
    "TurnStart",
    "UnexpectedAnswer",
    "Usage",
    "UsageRecord",
    "UsageReport",
    "UsageRow",
    "UsageTotal",
    "User",
    "UserChange",
]
