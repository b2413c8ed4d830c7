"""What is to happen: a pure function of the seed. When it happens is up to the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from parley_tests.checker.words import Ask

# Out of a hundred messages. Most are short and not streamed: they are cheap, and many.
KINDS = {"echo": 82, "think": 10, "break": 5, "error": 3}
SHORT, LONG = (1, 12), (80, 400)
GATEWAYS = 2
# Longer than a worker's lease, in seconds.
LONG_FREEZE = 12.0


@dataclass(frozen=True, slots=True)
class Send:
    """One message, and what its sender does around it. Lengths count code points of its text.

    A sender with a key sends again until it knows; one without leaves it in doubt.
    """

    ask: Ask
    streamed: bool
    gateway: int
    key: str = ""
    # The same at the same time, with the same key; again after the end; then with another body.
    twin: bool = False
    again: bool = False
    other_body: bool = False
    # Seconds after which it gives up its first attempt, whatever comes of that.
    patience: float | None = None
    # Leaves its stream after so much, and goes on elsewhere.
    leave_after: int | None = None
    # Stops the reply after so much.
    stop_after: int | None = None
    # Others who read along, each from so much on.
    readers: tuple[int, ...] = ()
    reads_history: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One chat from its first message to its last; senders in different lanes do not wait.

    `deleted` says that it is deleted while its last reply is made.
    """

    chat_id: str
    user: int
    lanes: tuple[tuple[Send, ...], ...]
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One blow. `target` is a replica, the database or a link; `seconds` is how long it lasts."""

    kind: str
    target: str
    seconds: float
    # Until the next one; and whether it waits until this one has healed.
    pause: float
    waits: bool
    # Bytes after which a connection is cut, milliseconds of delay.
    amount: int = 0


def sessions(seed: int, client: int, user: int) -> Iterator[Session]:
    """Yield the chats of one client, for ever."""
    chance = Random(f"{seed}/client/{client}")  # noqa: S311  (no secret)
    number = 0
    while True:
        yield _session(chance, f"u{user}c{client}s{number}", user)
        number += 1


def _session(chance: Random, mark: str, user: int) -> Session:
    deleted = chance.random() < 0.06
    several = 1 if deleted else chance.choices((1, 2, 3), (70, 20, 10))[0]
    lanes = []
    for lane in range(several):
        length = chance.randint(2, 12) if several == 1 else chance.randint(2, 5)
        lanes.append(tuple(_send(chance, f"{mark}l{lane}n{n}") for n in range(length)))
    if deleted:
        last = Ask(f"{mark}l0last", "echo", 200)
        lanes[0] += (Send(last, streamed=True, gateway=chance.randrange(GATEWAYS)),)
    return Session(mark, user, tuple(lanes), deleted)


def _send(chance: Random, mark: str) -> Send:
    streamed = chance.random() < 0.3
    long = streamed and chance.random() < 0.25
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    ask = Ask(mark, kind, chance.randint(*(LONG if long else SHORT)))
    keyed = chance.random() < 0.6
    size = max(1, len(ask.text))
    leaves = streamed and chance.random() < 0.3
    stops = streamed and chance.random() < (0.3 if long else 0.05)
    readers = chance.randint(1, 3) if long and chance.random() < 0.4 else 0
    return Send(
        ask=ask,
        streamed=streamed,
        gateway=chance.randrange(GATEWAYS),
        key=f"key-{mark}" if keyed else "",
        twin=keyed and chance.random() < 0.12,
        again=keyed and chance.random() < 0.08,
        other_body=keyed and chance.random() < 0.05,
        patience=round(10 ** chance.uniform(-3, 0), 3) if chance.random() < 0.08 else None,
        leave_after=chance.randrange(size) if leaves else None,
        stop_after=chance.choice((0, chance.randrange(size))) if stops else None,
        readers=tuple(chance.choice((0, chance.randrange(size))) for _ in range(readers)),
        reads_history=chance.random() < 0.08,
    )


def faults(
    seed: int, kinds: Mapping[str, int], targets: Mapping[str, Sequence[str]], pace: float
) -> Iterator[Fault]:
    """Yield blows for ever; none when there are no kinds of them.

    `kinds` weighs them and `targets` says whom each may strike; `pace` is the mean pause between
    two, in seconds.
    """
    chance = Random(f"{seed}/nemesis")  # noqa: S311  (no secret)
    names, weights = list(kinds), list(kinds.values())
    while names:
        kind = chance.choices(names, weights)[0]
        longest = LONG_FREEZE if kind == "freeze" and chance.random() < 0.15 else 2.5
        seconds = round(chance.uniform(0.2, longest), 2)
        yield Fault(
            kind=kind,
            target=chance.choice(targets[kind]),
            seconds=seconds,
            pause=round(chance.expovariate(1 / pace), 2),
            waits=chance.random() < 0.7 and seconds < LONG_FREEZE / 3,
            amount=int(10 ** chance.uniform(1, 4)),
        )
