"""What to type to use a key, ready to be copied."""

import shlex

from parley_client import NewKey


def curl(url: str, key: NewKey) -> str:
    """Returns a request that this key may make, for a shell."""
    shown = f"  -H {shlex.quote(f'Authorization: Bearer {key.key}')}"
    if not may_chat(key):
        return f"curl {shlex.quote(f'{url}/me')} \\\n{shown}"
    return (
        f"curl {shlex.quote(f'{url}/chat')} \\\n{shown} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  -d '{"message": "Hello"}'"""
    )


def python(url: str, key: NewKey) -> str:
    """Returns the same in Python."""
    asked = 'client.chat("Hello").response' if may_chat(key) else "client.me().name"
    return (
        "from parley_client import Client\n\n"
        f'with Client("{url}", "{key.key}") as client:\n'
        f"    print({asked})"
    )


def may_chat(key: NewKey) -> bool:
    """Tells whether a key is for chats, as one is that says nothing of what it is for."""
    kinds = {scope for scope in key.scopes if ":" not in scope}
    return not kinds or "chat" in kinds
