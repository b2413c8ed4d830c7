"""Times, amounts and efforts in words."""

from datetime import UTC, datetime
from decimal import Decimal

from parley_client import Cost, Message, Usage


def duration(seconds: float) -> str:
    """Returns a time in the largest unit that says it well: `45 s`, `3 min`, `2 h`."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{-(-seconds // size):.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(at: datetime) -> str:
    """Returns a time to the minute, in UTC as all of the gateway's are."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def account(message: Message) -> str:
    """Returns who answered, with what effort and at what cost."""
    parts = [message.provider, message.model, tokens(message.usage), money(message.cost)]
    if message.status == "complete" and message.cost is None:
        parts[-1] = "cost unknown"
    return " · ".join(part for part in parts if part)


def tokens(usage: Usage | None) -> str:
    """Returns a usage in words; a figure that nobody reported is marked."""
    if usage is None:
        return ""
    about = "about " if usage.source == "estimated" else ""
    return f"{about}{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"


def money(cost: Cost | None) -> str:
    """Returns a cost with as many digits as say something: `$0.000125`, `$1.20`."""
    if cost is None:
        return ""
    least = Decimal("0.000001")
    amount = cost.amount.quantize(least)
    if cost.amount and not amount:
        return f"less than {least} {cost.currency}"
    whole, _, cents = f"{amount:f}".partition(".")
    figure = f"{int(whole):,}.{cents.rstrip('0').ljust(2, '0')}"
    return f"${figure}" if cost.currency == "USD" else f"{figure} {cost.currency}"
