"""`parley chat`: a message, and the reply as it is made."""

import sys
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from parley_client import Client, ReasoningDelta, TextDelta, TurnEnd, TurnEvent, TurnStart
from parley_client.calls import ChatOptions

from parley_local.asking import complain, gateway
from parley_local.commands.output import AskedOutput, Output, as_json
from parley_local.settings import Settings

INTERRUPTED = 130  # what a shell makes of Ctrl-C
# A terminal takes orders from these; a reply may give none.
UNPRINTABLE = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])


@dataclass(slots=True)
class Told:
    """What came of a message so far."""

    start: TurnStart | None = None
    text: str = ""
    reasoning: str = ""
    end: TurnEnd | None = None

    def take(self, event: TurnEvent) -> None:
        """Adds one event."""
        if isinstance(event, TurnStart):
            self.start = event
        elif isinstance(event, TextDelta):
            self.text += event.text
        elif isinstance(event, ReasoningDelta):
            self.reasoning += event.text
        else:
            self.end = event


def chat(
    message: Annotated[str, typer.Argument(help="What to say; - reads it from stdin.")],
    *,
    chat_id: Annotated[
        str | None, typer.Option("--chat", help="The chat to go on with; a new ID begins one.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="PROVIDER/MODEL", help="Who is to answer; a provider alone will do."),
    ] = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Sends a message and prints the reply as it is made. Ctrl-C stops the reply.

    0 when it is complete, 1 when it was refused or did not end well, 130 after Ctrl-C.
    """
    words = sys.stdin.read() if message == "-" else message
    provider, _, name = (model or "").partition("/")
    options: ChatOptions = {"chat_id": chat_id, "provider": provider or None, "model": name or None}
    told = Told()
    with gateway(Settings()) as client:
        events = client.stream_chat(words, **options)
        try:
            interrupted = not _tell(events, told, output)
        finally:
            _end_line(told, output)
        if interrupted:
            _stop(client, told)
    _conclude(told, output)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if told.end and told.end.status != "complete":
        complain(f"The reply is {told.end.status}.")
        raise typer.Exit(1)


def _tell(events: Generator[TurnEvent, None, None], told: Told, output: Output) -> bool:
    """Prints a reply as it is made; returns False when Ctrl-C came before its end."""
    try:
        for event in events:
            told.take(event)
            if isinstance(event, TextDelta) and output is Output.TEXT:
                typer.echo(event.text.translate(UNPRINTABLE), nl=False)
    except KeyboardInterrupt:
        return False
    return True


def _end_line(told: Told, output: Output) -> None:
    if output is Output.TEXT and told.text and not told.text.endswith("\n"):
        typer.echo()


def _stop(client: Client, told: Told) -> None:
    """Stops the reply, and says so."""
    if told.start is None:
        complain("Given up before the gateway had taken the message; it may still be answered.")
        return
    message = client.stop_message(told.start.chat_id, told.start.message_id)
    told.text, told.reasoning = message.content, message.reasoning or ""
    told.end = TurnEnd(
        message.message_id, message.status, message.finish_reason, message.usage, message.cost
    )
    late = "It was over already." if message.status != "stopped" else "The reply is stopped."
    complain(late)


def _conclude(told: Told, output: Output) -> None:
    """Says how the reply ended, and where the chat goes on."""
    if told.start is None:
        return
    if output is Output.JSON:
        typer.echo(as_json(_document(told, told.start)))
        return
    typer.echo(f"Go on with --chat {told.start.chat_id}", err=True)


def _document(told: Told, start: TurnStart) -> dict[str, Any]:
    end = told.end
    return {
        "chat_id": start.chat_id,
        "message_id": start.message_id,
        "provider": start.provider,
        "model": start.model,
        "response": told.text,
        "reasoning": told.reasoning or None,
        "status": end.status if end else None,
        "finish_reason": end.finish_reason if end else None,
        "usage": asdict(end.usage) if end and end.usage else None,
        "cost": asdict(end.cost) if end and end.cost else None,
    }
