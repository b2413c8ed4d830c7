"""One example of everything that goes over HTTP, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]
AT = "2026-11-23T12:00:00Z"
USER_ID = "01990000-0000-7000-8000-000000000001"
QUESTION_ID = "01990000-0000-7000-8000-000000000002"
REPLY_ID = "01990000-0000-7000-8000-000000000003"

ATTACHMENT: Example = {"media_type": "image/png", "data": "iVBORw0KGgo=", "name": "moon.png"}
CHAT_BODY: Example = {
    "message": "Tell me a fun fact about space",
    "chat_id": "space-facts",
    "fallbacks": ["demo/demo"],
}
PROMPT_TEXT: Example = {"prompt": "You are a helpful assistant."}
PROMPT_BODY: Example = {
    "name": "Customer Support",
    "content": "You help customers.",
    "description": "For the help desk",
}
PROMPT_CHANGE: Example = {"content": "You help customers, and stay polite."}
USER_BODY: Example = {"name": "ada", "role": "user"}
LIMITS: Example = {
    "requests_per_hour": 1000,
    "tokens_per_minute": None,
    "concurrent_turns": 4,
}
BUDGETS: Example = {"daily": "2.50", "monthly": None}
USER_CHANGE: Example = {"disabled": False, "limits": LIMITS, "budgets": BUDGETS}
KEY_BODY: Example = {
    "name": "laptop",
    "scopes": ["chat", "provider:demo"],
    "expires_at": "2027-11-23T12:00:00Z",
}
ROTATION_BODY: Example = {"overlap_seconds": 3600}

USAGE: Example = {
    "input_tokens": 12,
    "output_tokens": 34,
    "cached_input_tokens": 0,
    "reasoning_tokens": 0,
    "source": "reported",
}
COST: Example = {"amount": "0.00042", "currency": "USD", "price_version": "genai-prices 0.2.3"}
ENDED: Example = {"status": "complete", "finish_reason": "stop", "usage": USAGE, "cost": COST}
MADE_BY: Example = {"provider": "demo", "model": "demo"}
CHAT_ANSWER: Example = {
    "chat_id": "space-facts",
    "message_id": REPLY_ID,
    "response": "A day on Venus is longer than its year.",
    **MADE_BY,
    **ENDED,
    "created_at": AT,
}
CHAT: Example = {
    "chat_id": "space-facts",
    "title": "Tell me a fun fact about space",
    **MADE_BY,
    "message_count": 2,
    "created_at": AT,
    "updated_at": AT,
}
CHAT_PAGE: Example = {"chats": [CHAT], "next_page_token": None}
MESSAGE: Example = {
    "message_id": REPLY_ID,
    "parent_id": QUESTION_ID,
    "sibling_ids": [REPLY_ID],
    "seq": 2,
    "role": "assistant",
    "content": "A day on Venus is longer than its year.",
    "reasoning": None,
    **MADE_BY,
    **ENDED,
    "prompt_version": 1,
    "tool_calls": [],
    "created_at": AT,
}
CHAT_HISTORY: Example = {
    **CHAT,
    "usage": {name: count for name, count in USAGE.items() if name != "source"},
    "cost": {"amount": "0.00042", "currency": "USD"},
    "unpriced_messages": 0,
    "unsettled_messages": 0,
    "messages": [MESSAGE],
    "next_page_token": None,
}
ACTIVE_PROMPT: Example = {
    "prompt": "You are a helpful assistant.",
    "prompt_id": "default",
    "name": "Default",
    "version": 1,
}
PROMPT: Example = {
    "prompt_id": "customer-support",
    **PROMPT_BODY,
    "version": 1,
    "is_active": False,
    "shared": False,
    "created_at": AT,
    "updated_at": AT,
}
PROMPT_PAGE: Example = {"prompts": [PROMPT], "next_page_token": None}
CONFIGURATION: Example = {
    "base_url": "https://llm.example.com/v1",
    "priority": 100,
    "max_replies": 128,
    "fallbacks": ["acme/large"],
    "retry_timeouts": False,
    "credential": {"source": "stored", "last4": "x7Qz"},
    "default_model_chosen": True,
}
PROVIDER: Example = {
    "name": "demo",
    "display_name": "Demo",
    "kind": "demo",
    "status": "ready",
    "enabled": True,
    "is_default": True,
    "default_model": "demo",
    "models": ["demo"],
    "plugin": {"package": "parley-provider-demo", "version": "0.1.0"},
    "error": None,
    "circuit": "closed",
    "running": 0,
    "configuration": CONFIGURATION,
}
PROVIDER_LIST: Example = {"providers": [PROVIDER]}
PROVIDER_CREATE: Example = {
    "name": "acme-eu",
    "plugin": "acme",
    "display_name": "Acme in Europe",
    "base_url": "https://eu.acme.example/v1",
}
PROVIDER_UPDATE: Example = {
    "is_default": True,
    "default_model": "large",
    "fallbacks": ["demo/demo", "acme"],
    "priority": 10,
}
CREDENTIAL: Example = {"api_key": "sk-0000"}
ROTATION: Example = {"rotated": 3, "unreadable": []}
MODEL: Example = {
    "name": "demo",
    "display_name": "Demo",
    "context_window": 128000,
    "max_output_tokens": 8192,
    "capabilities": ["text"],
    "price": {
        "input": "1.25",
        "output": "10",
        "cached_input": "0.125",
        "cache_write": None,
        "long_cache_write": None,
        "currency": "USD",
        "version": "2026-11",
    },
    "overridden": False,
    "gone_at": None,
}
MODEL_LIST: Example = {"provider": "demo", "models": [MODEL]}
MODEL_UPDATE: Example = {
    "context_window": 64000,
    "price": {"input": "1.25", "output": "10", "cached_input": "0.125"},
}
ALIAS_SET: Example = {"provider": "acme", "model": "large"}
ALIAS: Example = {"alias": "fast", **ALIAS_SET, "updated_at": AT}
ALIAS_LIST: Example = {"aliases": [ALIAS]}
PROVIDER_HEALTH: Example = {
    "provider": "demo",
    "status": "ready",
    "latency_ms": 12.5,
    "checked_at": AT,
    "detail": "It answers.",
}
WRITES: Example = {"cache_write_tokens": 0, "long_cache_write_tokens": 0}
USAGE_TOTAL: Example = {
    "requests": 2,
    "input_tokens": 24,
    "output_tokens": 68,
    "cached_input_tokens": 0,
    "reasoning_tokens": 0,
    "cost": {"amount": "0.00084", "currency": "USD"},
    "unpriced_requests": 0,
    **WRITES,
}
USAGE_REPORT: Example = {
    "rows": [{"day": "2026-11-23", "model": "demo", **USAGE_TOTAL}],
    "total": USAGE_TOTAL,
}
USAGE_CSV = """\
day,model,requests,input_tokens,output_tokens,cached_input_tokens,reasoning_tokens,cost,currency,\
unpriced_requests,cache_write_tokens,long_cache_write_tokens
2026-11-23,demo,2,24,68,0,0,0.00084,USD,0,0,0
"""
ATTEMPT: Example = {
    "provider": "acme",
    "model": "large",
    "outcome": "overloaded",
    "usage": None,
    "cost": None,
    "duration_ms": 812,
}
USAGE_RECORD: Example = {
    "usage_id": REPLY_ID,
    "user_id": USER_ID,
    "key_id": "4fK2mQ0aZ81x",
    **MADE_BY,
    "settled": True,
    "outcome": "stop",
    "usage": USAGE,
    "cost": COST,
    "started_at": AT,
    "settled_at": AT,
    "attempts": [
        ATTEMPT,
        {
            **MADE_BY,
            "outcome": "stop",
            "usage": USAGE,
            "cost": COST,
            "duration_ms": 1204,
        },
    ],
}
USAGE_RECORD_PAGE: Example = {"records": [USAGE_RECORD], "next_page_token": None}
ME: Example = {
    "user_id": USER_ID,
    "name": "ada",
    "role": "user",
    "key": {"key_id": "4fK2mQ0aZ81x", "name": "laptop", "scopes": ["chat"], "expires_at": None},
    "limits": LIMITS,
    "budgets": BUDGETS,
    "allowances": [
        {
            "scope": "user",
            "meter": "requests_per_hour",
            "limit": 1000,
            "used": 20,
            "held": 0,
            "left": 980,
            "resets_at": AT,
        },
        {
            "scope": "key",
            "meter": "daily_cost",
            "limit": "5",
            "used": "1.2",
            "held": "0.05",
            "left": "3.75",
            "resets_at": AT,
        },
    ],
}
CONTEXT: Example = {"context": "CjQKJDAxOThjMGRl", "fresh_until": AT, "expires_at": AT}
USER: Example = {
    "user_id": USER_ID,
    "name": "ada",
    "role": "user",
    "disabled": False,
    "created_at": AT,
    "limits": LIMITS,
    "budgets": BUDGETS,
}
USER_PAGE: Example = {"users": [USER], "next_page_token": None}
KEY: Example = {
    "key_id": "4fK2mQ0aZ81x",
    "user_id": USER_ID,
    "name": "laptop",
    "last4": "x7Qz",
    "scopes": ["chat"],
    "expires_at": None,
    "last_used_at": None,
    "created_at": AT,
    "limits": LIMITS,
    "budgets": BUDGETS,
}
KEY_PAGE: Example = {"keys": [KEY], "next_page_token": None}
NEW_KEY: Example = {**KEY, "key": "parley_key_4fK2mQ0aZ81x_…"}
AUDIT_ENTRY: Example = {
    "at": AT,
    "actor": USER_ID,
    "key_id": "4fK2mQ0aZ81x",
    "action": "update_provider",
    "outcome": "done",
    "target": "acme",
    "ip": "192.0.2.7",
    "request_id": "01990000-0000-7000-8000-000000000000",
    "details": {"fields": ["base_url"], "credential": None},
}
AUDIT_PAGE: Example = {"entries": [AUDIT_ENTRY], "next_page_token": None}
ABOUT: Example = {
    "name": "Parley",
    "version": "0.1.0",
    "links": {"docs": "/docs", "openapi": "/openapi.json"},
    "routes": [{"method": "GET", "path": "/health", "summary": "How the platform is"}],
}
HEALTH: Example = {
    "status": "ok",
    "version": "0.1.0",
    "services": {"chat": "ok", "prompt": "ok", "provider": "ok", "database": "ok"},
    "providers": {"demo": "ready"},
}
