"""What a run came to, for a person to read and, when it failed, to search."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from parley_tests.checker.history import ChatLog
from parley_tests.checker.nemesis import KILLS, Blow
from parley_tests.checker.rules.world import World
from parley_tests.checker.run import Outcome

SHOWN = 5


def summary(outcome: Outcome) -> str:
    """Say in some lines what was done, and what does not hold."""
    order, found = outcome.order, outcome.found
    outcomes = Counter(sent.outcome for chat in outcome.history.chats for sent in chat.sends)
    statuses = Counter(row["status"] for row in found.messages if row["role"] == "assistant")
    views = Counter(
        view.via for chat in outcome.history.chats for sent in chat.sends for view in sent.views
    )
    lines = [
        f"seed {order.seed}: {outcome.messages} messages, {outcome.kills} kills",
        f"{outcome.seconds:.0f} s",
        f"sends {dict(outcomes)}; replies {dict(statuses)}; views {dict(views)}",
        f"blows {dict(outcome.counts)}",
        f"back after (median, longest) {_recoveries(outcome.blows)}",
        f"quiet {dataclasses.asdict(found.quiet)}",
        f"resident MB {dict(found.resident_mb)}",
    ]
    if outcome.history.missing:
        lines.append(f"routes that this build lacks: {sorted(outcome.history.missing)}")
    counts = Counter(violation.rule for violation in outcome.violations)
    for rule, count in counts.items():
        lines.append(f"BROKEN {rule}: {count}")
        examples = [v for v in outcome.violations if v.rule == rule][:SHOWN]
        lines += [f"    {violation.chat} {violation.what}" for violation in examples]
    if outcome.violations:
        lines.append(f"see {outcome.folder}; the same plan: --seed {order.seed}")
    else:
        lines.append("all rules hold")
    return "\n".join(lines)


def _recoveries(blows: Sequence[Blow]) -> dict[str, str]:
    """Say for those who end how long it took until they answered again."""
    times: dict[str, list[float]] = {}
    for blow in blows:
        if blow.fault.kind in {*KILLS, "restart"}:
            times.setdefault(blow.fault.kind, []).append(blow.healed - blow.at)
    return {kind: f"{median(took):.1f} s, {max(took):.1f} s" for kind, took in times.items()}


def write(outcome: Outcome, *, keep: bool = False) -> None:
    """Leave what is needed to find out, in the run's folder; nothing when all rules hold."""
    if not outcome.violations and not keep:
        shutil.rmtree(outcome.folder, ignore_errors=True)
        return
    shutil.rmtree(outcome.folder / "home", ignore_errors=True)
    world = World(outcome.history, outcome.found)
    chats = {chat.name: chat for chat in outcome.history.chats}
    named = {violation.chat for violation in outcome.violations}
    document: dict[str, Any] = {
        "order": dataclasses.asdict(outcome.order),
        "violations": [dataclasses.asdict(violation) for violation in outcome.violations],
        "blows": [dataclasses.asdict(blow) for blow in outcome.blows],
        "exits": [dataclasses.asdict(ended) for ended in outcome.found.exits],
        "chats": [_chat(world, chats[name]) for name in named if name in chats],
    }
    text = json.dumps(document, indent=1, default=str, ensure_ascii=False)
    (outcome.folder / "report.json").write_text(text)


def _chat(world: World, chat: ChatLog) -> dict[str, Any]:
    owner = world.owner(chat)
    rows = [
        row
        for row in world.found.messages
        if (row["owner_id"], row["chat_id"]) == (owner, chat.session.chat_id)
    ]
    ids = {row["message_id"] for row in rows}
    return {
        "chat": chat.name,
        "log": dataclasses.asdict(chat),
        "rows": rows,
        "ledger": [row for key, row in world.found.ledger.items() if key in ids],
    }
