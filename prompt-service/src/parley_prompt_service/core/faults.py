"""The faults that only the prompt library knows."""

from __future__ import annotations

from parley_rpc.faults import AlreadyExists, FailedPrecondition, NotFound


class PromptNotFound(NotFound):
    """No such prompt of the caller's, and no such shared one."""

    reason = "prompt_not_found"

    def __init__(self, prompt_id: str) -> None:
        super().__init__(f"There is no prompt '{prompt_id}'.", prompt_id=prompt_id)


class PromptExists(AlreadyExists):
    """The caller sees a prompt of that name already."""

    reason = "prompt_exists"

    def __init__(self, prompt_id: str) -> None:
        super().__init__(f"There is a prompt '{prompt_id}' already.", prompt_id=prompt_id)


class PromptShared(FailedPrecondition):
    """A shared prompt cannot be changed or deleted, whoever asks: no permission would help."""

    reason = "prompt_shared"

    def __init__(self, prompt_id: str) -> None:
        super().__init__(
            f"The prompt '{prompt_id}' is shared and cannot be changed; make one of your own.",
            prompt_id=prompt_id,
        )
