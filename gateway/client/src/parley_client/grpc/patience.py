"""How long to wait for services."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    `call` is for a call that is answered at once, `stream` for a whole stream: the deadlines of
    calls that are given no `timeout` of their own. `reread` is how long a call is repeated that may
    be, `repeat` how long a send that was not taken is, `resume` how long a reply that was lost is
    asked for again, each from its first failure on; with 0 it is not.
    """

    call: float = 30.0
    stream: float = 600.0
    reread: float = 2.0
    repeat: float = 10.0
    resume: float = 30.0
