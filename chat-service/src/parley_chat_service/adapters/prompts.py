"""The prompt service, as the core sees it."""

from __future__ import annotations

from parley_rpc.client import Peer

from parley.prompt.v1 import prompt_pb2 as pb
from parley.prompt.v1.prompt_pb2_grpc import PromptServiceStub
from parley_chat_service.core.model import Caller, Prompt


class GrpcPrompts:
    """Asks the prompt service, every time: a send after an activation uses the new prompt."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.stub = PromptServiceStub(peer.channel)

    async def active(self, caller: Caller, within: float) -> Prompt:
        """Return the caller's active prompt."""
        request = pb.GetActivePromptRequest()
        answer = await self.peer.call(self.stub.GetActivePrompt, request, caller, within)
        return prompt_of(answer.prompt)

    async def get(self, caller: Caller, prompt_id: str, within: float) -> Prompt:
        """Return one prompt; fails with PROMPT_NOT_FOUND."""
        request = pb.GetPromptRequest(prompt_id=prompt_id)
        answer = await self.peer.call(self.stub.GetPrompt, request, caller, within)
        return prompt_of(answer.prompt)


def prompt_of(prompt: pb.Prompt) -> Prompt:
    """Read what a turn needs of a prompt."""
    return Prompt(prompt.content, prompt.version)
