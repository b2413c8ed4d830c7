"""Measures what trust costs a call: one server open to anybody beside one that asks for proof.

    python tests/bench/trust.py [--calls 3000] [--rounds 7]

Client and server share a process, so a figure is the CPU time of both sides together. The rounds
alternate, and each figure is the median of its rounds. Before it: what each step costs alone.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from parley_rpc.client import Peer
from parley_rpc.context import USER_CONTEXT, Caller, ServerContext
from parley_rpc.scopes import needs_of
from parley_rpc.server import Server
from parley_rpc.tokens import AUTHORIZATION, Credential, token
from parley_rpc.trust import Doorkeeper
from parley_tests.believing import OpenToAnybody, new_caller
from parley_tests.installation import Installation
from typing_extensions import override

from parley.context.v1.context_pb2 import UserContext
from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

REQUEST = prompt_pb2.GetActivePromptRequest()
METHOD = "/parley.prompt.v1.PromptService/GetActivePrompt"
USER = str(uuid4())
KEYS = Installation()


class Prompts(prompt_pb2_grpc.PromptServiceServicer):
    """Answers at once."""

    @override
    async def GetActivePrompt(
        self, request: prompt_pb2.GetActivePromptRequest, context: ServerContext
    ) -> prompt_pb2.GetActivePromptResponse:
        return prompt_pb2.GetActivePromptResponse()


def cpu(work: Callable[[], object], count: int) -> float:
    """Return the CPU microseconds of one of `count`."""
    began = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - began) / count * 1e6


def steps() -> Iterator[tuple[str, float]]:
    """Measure what is done for a call, outside of any call."""
    trust, credential = KEYS.trust("prompt"), KEYS.credential("chat")
    key, entry, caller = credential.key.current(), credential.entry("prompt"), KEYS.caller(USER)
    shown: dict[str, str | bytes] = {AUTHORIZATION: entry[1], USER_CONTEXT: caller.signed}
    needs = needs_of(METHOD)
    assert needs

    def admit() -> None:
        needs.require_scope(trust.caller(shown, trust.service(shown)))

    def first_sight() -> None:
        strange = KEYS.trust("prompt")
        strange.caller(shown, strange.service(shown))

    user = UserContext(user_id=USER, key_id="key")
    yield "token and context, known already", cpu(admit, 20_000)
    yield "token and context, seen for the first time", cpu(first_sight, 300)
    yield "token of the caller, kept", cpu(lambda: credential.entry("prompt"), 20_000)
    yield "token of the caller, signed", cpu(lambda: token(key, "prompt", time.time()), 500)
    yield "user context, kept", cpu(lambda: KEYS.voucher.vouch(user, "", valid_for=60), 20_000)
    yield "user context, signed", cpu(lambda: KEYS.voucher.renew(caller), 500)


async def serve(stack: AsyncExitStack, trust: Doorkeeper, credential: Credential | None) -> Any:
    """Serve, and return what asks once in the name of a caller."""
    server = Server("prompt.parley", trust)
    prompt_pb2_grpc.add_PromptServiceServicer_to_server(Prompts(), server.grpc)  # type: ignore[abstract]
    await server.start("127.0.0.1:0", [])
    peer = Peer("prompt", f"127.0.0.1:{server.port}", credential)
    stack.push_async_callback(server.stop, 0)
    stack.push_async_callback(peer.aclose)
    stub = prompt_pb2_grpc.PromptServiceStub(peer.channel)
    await peer.connected(10)

    async def ask(caller: Caller) -> None:
        await peer.call(stub.GetActivePrompt, REQUEST, caller, 30)

    return ask


async def spent(ask: Any, callers: Sequence[Caller]) -> float:
    """Return the CPU microseconds of one call."""
    began = time.process_time()
    for caller in callers:
        await ask(caller)
    return (time.process_time() - began) / len(callers) * 1e6


async def calls(count: int, rounds: int) -> dict[str, float]:
    """Ask both servers in turns."""
    figures: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        opened = await serve(stack, OpenToAnybody(), None)
        closed = await serve(stack, KEYS.trust("prompt"), KEYS.credential("chat"))
        plain = [new_caller(USER, "key", "r", valid_for=600)] * count
        known = [KEYS.caller(USER, valid_for=600)] * count
        for _ in range(rounds):
            others = [KEYS.caller(str(uuid4()), valid_for=600) for _ in range(count)]
            for name, ask, callers in (
                ("a call, open to anybody", opened, plain),
                ("a call, a user seen a moment ago", closed, known),
                ("a call, another user each time", closed, others),
            ):
                figures.setdefault(name, []).append(await spent(ask, callers))
    return {name: statistics.median(found) for name, found in figures.items()}


def main() -> int:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    found = asyncio.run(calls(asked.calls, asked.rounds))
    for name, microseconds in itertools.chain(steps(), found.items()):
        sys.stdout.write(f"{name:<48}{microseconds:8.1f} µs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
