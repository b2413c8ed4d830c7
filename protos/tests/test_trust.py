"""Who is let in, and in whose name: every way in which somebody might pretend."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from parley_rpc.client import Peer
from parley_rpc.context import USER_CONTEXT, Caller
from parley_rpc.faults import Fault, reason_of
from parley_rpc.keys import CONTEXT, SERVICE, Key, new_key, public
from parley_rpc.tokens import Credential
from parley_rpc.vouching import Voucher
from parley_tests.believing import vouched
from parley_tests.installation import Installation

from parley.context.v1.context_pb2 import SignedUserContext, UserContext
from parley.prompt.v1 import prompt_pb2_grpc

from .doors import REQUEST, Clock, Door, Shown, door

pytestmark = pytest.mark.unit

ADA, BOB = "0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002"
OURS = Installation()
TESTS = OURS.keys["tests"]


def context(caller: Caller) -> tuple[str, bytes]:
    return USER_CONTEXT, caller.signed


def bearer(made: str) -> tuple[str, str]:
    return "authorization", f"Bearer {made}"


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": "tests", "aud": "prompt", "iat": now, "exp": now + 60, **changed}


def signed(key: Key = TESTS, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """Sign claims as they are, however wrong."""
    said = {"alg": "Ed25519", "kid": key.kid, **(header or {})}
    kept = {name: value for name, value in claims(**changed).items() if value is not None}
    return jwt.encode(said, kept, key.jwk, algorithms=["Ed25519"])


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode()


def unsigned() -> str:
    return f"{part({'alg': 'none', 'kid': TESTS.kid})}.{part(claims())}."


def by_the_public_key() -> str:
    """What fools those who take the algorithm from the token: the public key as a secret."""
    secret = OctKey.import_key(orjson.dumps(public(TESTS)))
    header = {"alg": "HS256", "kid": TESTS.kid}
    return jwt.encode(header, claims(), secret, algorithms=["HS256"])


def tampered() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{part(claims(iss='chat'))}.{signature}"


@pytest.fixture
async def closed() -> AsyncIterator[Door]:
    async with door(OURS) as opened:
        yield opened


async def test_who_shows_both_is_let_in_as_the_user_of_the_context(closed: Door) -> None:
    credential = OURS.credential()

    named = [
        await closed.knock([credential.entry("prompt"), context(OURS.caller(user))])
        for user in (ADA, BOB, ADA)
    ]

    assert [ADA, BOB, ADA] == named


TOKENS: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "not a token": lambda: "abc",
    "three parts of nothing": lambda: "..",
    "binary": lambda: "a" * 16 + "." + "b" * 16 + "." + "c" * 16,
    "too long": lambda: signed(filler="x" * 5000),
    "alg none": unsigned,
    "HS256 with the public key": by_the_public_key,
    "tampered": tampered,
    "unknown kid": lambda: signed(header={"kid": "tests-unknown"}),
    "no kid": lambda: jwt.encode({"alg": "Ed25519"}, claims(), TESTS.jwk, algorithms=["Ed25519"]),
    "kid of another": lambda: signed(header={"kid": OURS.keys["chat"].kid}),
    "foreign key of the same name": lambda: signed(new_key("tests", SERVICE)),
    "foreign key with a trusted kid": lambda: signed(
        new_key("tests", SERVICE), header={"kid": TESTS.kid}
    ),
    "a critical header": lambda: signed(header={"crit": ["b64"], "b64": False}),
    "the context key": lambda: signed(OURS.context_key, iss="gateway"),
    "another's name": lambda: signed(iss="chat"),
    "no name": lambda: signed(iss=None),
    "another audience": lambda: signed(aud="chat"),
    "several audiences": lambda: signed(aud=["prompt", "chat"]),
    "no audience": lambda: signed(aud=None),
    "expired": lambda: signed(iat=int(time.time()) - 120, exp=int(time.time()) - 60),
    "of the future": lambda: signed(iat=int(time.time()) + 60, exp=int(time.time()) + 120),
    "without end": lambda: signed(exp=None),
    "without beginning": lambda: signed(iat=None),
    "end before the beginning": lambda: signed(iat=int(time.time()) + 9, exp=int(time.time())),
    "a year": lambda: signed(exp=int(time.time()) + 31_536_000),
    "no number": lambda: signed(exp="4102444800"),
    "true": lambda: signed(iat=True, exp=True),
    "infinite": lambda: signed(exp=1e308),
}


@pytest.mark.parametrize("made", TOKENS.values(), ids=TOKENS.keys())
async def test_no_other_token_opens(closed: Door, made: Callable[[], str]) -> None:
    fault = await closed.refusal([bearer(made()), context(OURS.caller(ADA))])

    assert "unauthenticated" == reason_of(fault)


@pytest.mark.parametrize(
    "shown",
    [
        (),
        (("authorization", "Basic dGVzdHM6eA=="),),
        (("authorization", "bearer "),),
        (("authorization-bin", b"Bearer x"),),
    ],
)
async def test_a_context_without_a_token_opens_nothing(closed: Door, shown: Shown) -> None:
    fault = await closed.refusal([*shown, context(OURS.caller(ADA))])

    assert "unauthenticated" == reason_of(fault)


async def test_a_token_for_one_service_opens_no_other(closed: Door) -> None:
    stolen = OURS.credential("chat").entry("provider")

    fault = await closed.refusal([stolen, context(OURS.caller(ADA))])

    assert "another service" in fault.sentence


def changed(**words: str) -> bytes:
    """Change the words of a signed context, and keep its signature."""
    caller = OURS.caller(ADA)
    kept = SignedUserContext.FromString(caller.signed)
    user = UserContext.FromString(kept.user_context)
    for name, value in words.items():
        setattr(user, name, value)
    kept.user_context = user.SerializeToString()
    return kept.SerializeToString()


def resigned(key: Key, kid: str = "") -> bytes:
    """Sign a context with some key."""
    words = UserContext(user_id=BOB, key_id="key", role="admin")
    words.expires_at.FromSeconds(int(time.time()) + 60)
    private: Any = key.jwk.private_key
    said = words.SerializeToString()
    return SignedUserContext(
        user_context=said, signing_key_id=kid or key.kid, signature=private.sign(said)
    ).SerializeToString()


def plain() -> bytes:
    return vouched(UserContext(user_id=BOB, role="admin"), "", valid_for=60).signed


CONTEXTS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not one": lambda: b"\xff\xff",
    "unsigned": plain,
    "another user": lambda: changed(user_id=BOB),
    "an administrator": lambda: changed(role="admin"),
    "signed with the service's own key": lambda: resigned(OURS.keys["chat"]),
    "that key under the gateway's kid": lambda: resigned(OURS.keys["chat"], OURS.context_key.kid),
    "a foreign gateway": lambda: resigned(new_key("gateway", CONTEXT)),
    "a foreign gateway under our kid": lambda: resigned(
        new_key("gateway", CONTEXT), OURS.context_key.kid
    ),
    "expired": lambda: OURS.caller(ADA, valid_for=-120).signed,
}


@pytest.mark.parametrize("by", ["tests", "chat"])
@pytest.mark.parametrize("shown", CONTEXTS.values(), ids=CONTEXTS.keys())
async def test_a_stolen_credential_cannot_act_for_anybody(
    closed: Door, shown: Callable[[], bytes], by: str
) -> None:
    stolen = OURS.credential(by).entry("prompt")

    for entry in ((), ((USER_CONTEXT, shown()),)):
        fault = await closed.refusal([stolen, *entry])

        assert "unauthenticated" == reason_of(fault)


@pytest.mark.parametrize(
    ("off", "lets_in"),
    [(0, True), (29, True), (-29, True), (300, False), (-300, False)],
)
async def test_clocks_may_differ_by_the_leeway(off: float, lets_in: bool) -> None:
    """The token is a minute's: it is used when it was just made."""
    async with door(OURS, clock := Clock()) as opened:
        shown: Shown = [
            OURS.credential("chat").entry("prompt"),
            context(OURS.caller(ADA, valid_for=600)),
        ]
        clock.off = off

        if lets_in:
            assert ADA == await opened.knock(shown)
        else:
            assert "unauthenticated" == reason_of(await opened.refusal(shown))


async def test_what_was_right_once_expires_all_the_same() -> None:
    async with door(OURS, clock := Clock()) as opened:
        shown: Shown = [
            OURS.credential("chat").entry("prompt"),
            context(OURS.caller(ADA, valid_for=600)),
        ]
        assert ADA == await opened.knock(shown)
        clock.off = 91

        fault = await opened.refusal(shown)

    assert "The service token has expired." == fault.sentence


async def test_only_who_passes_contexts_on_may_do_so_when_they_are_stale() -> None:
    async with door(OURS, clock := Clock()) as opened:
        old = context(OURS.caller(ADA, valid_for=600))
        others, chat = OURS.credential().entry("prompt"), OURS.credential("chat").entry("prompt")
        assert ADA == await opened.knock([others, old])
        clock.off = 3

        fault = await opened.refusal([others, old])

        assert "no longer fresh" in fault.sentence
        assert ADA == await opened.knock([chat, old])


async def test_a_context_ends_for_those_too_who_pass_it_on() -> None:
    async with door(OURS, clock := Clock()) as opened:
        old = context(OURS.caller(ADA, valid_for=10))
        clock.off = 42
        later = Credential(OURS.credential("chat").key, clock=clock).entry("prompt")

        assert "expired" in (await opened.refusal([later, old])).sentence


async def test_a_token_is_made_anew_before_its_end_and_kept_until_then() -> None:
    clock = Clock()
    credential = Credential(OURS.credential("chat").key, clock=clock)

    first = credential.entry("prompt")
    again, other = credential.entry("prompt"), credential.entry("provider")
    clock.off = 41
    later = credential.entry("prompt")
    clock.off = -3600
    set_back = credential.entry("prompt")

    assert first == again
    assert 4 == len({first, other, later, set_back})


async def test_the_same_words_are_signed_once_and_not_for_long() -> None:
    clock = Clock()
    voucher = Voucher(OURS.voucher.key, clock=clock)

    def signed_for(user: str, **more: Any) -> bytes:
        words = UserContext(user_id=user, key_id="k", **more)
        return voucher.vouch(words, "r", valid_for=60).signed

    first = signed_for(ADA)
    assert first == signed_for(ADA)
    assert first != signed_for(ADA, scopes=["read"])
    assert first != signed_for(BOB)
    clock.off = 1.1
    assert first != signed_for(ADA)


@pytest.mark.parametrize("held", [("read",), ("prompts", "keys"), ("provider:acme",), ("chat",)])
async def test_a_key_may_only_what_its_scopes_say(closed: Door, held: tuple[str, ...]) -> None:
    user = UserContext(user_id=ADA, key_id="key", scopes=held)
    shown = context(OURS.voucher.vouch(user, "", valid_for=60))

    assert ADA == await closed.knock([OURS.credential().entry("prompt"), shown])


@pytest.mark.parametrize("held", [("keys",), ("admin", "provider:acme"), ("something-newer",)])
async def test_a_key_without_a_scope_is_told_which(closed: Door, held: tuple[str, ...]) -> None:
    user = UserContext(user_id=ADA, key_id="key", scopes=held)
    shown = context(OURS.voucher.vouch(user, "", valid_for=60))

    fault = await closed.refusal([OURS.credential().entry("prompt"), shown])

    assert ("scope_missing", {"scope": "prompts"}) == (reason_of(fault), fault.metadata)


async def test_many_who_knock_at_once_are_told_apart(closed: Door) -> None:
    users = [f"0198c0de-0000-7000-8000-{n:012d}" for n in range(200)]
    entry = OURS.credential().entry("prompt")

    named = await asyncio.gather(
        *(closed.knock([entry, context(OURS.caller(user, valid_for=60))]) for user in users)
    )

    assert users == named


async def test_that_we_are_not_trusted_is_no_fault_of_the_user(closed: Door) -> None:
    peer = Peer("prompt", f"127.0.0.1:{closed.server.port}", Installation().credential("chat"))
    stub = prompt_pb2_grpc.PromptServiceStub(peer.channel)

    with pytest.raises(Fault, match="does not trust this one") as caught:
        await peer.call(stub.GetActivePrompt, REQUEST, OURS.caller(ADA), 10)

    assert "internal" == reason_of(caught.value)
    await peer.aclose()
