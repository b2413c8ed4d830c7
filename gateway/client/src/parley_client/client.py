"""The two clients. They differ in how they wait, and in nothing else.

Each method is a function of one of the modules `…calls`, lifted onto the client: it
takes the same arguments, sends the call, and returns what the answer says. The `all_…` methods walk
through a list page by page.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import aclosing
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

import httpx

from parley_client import account_calls, alias_calls, calls, provider_calls, usage_calls
from parley_client.answers import refusal
from parley_client.call import Call
from parley_client.calls import ChatOptions
from parley_client.errors import ParleyError
from parley_client.retries import sending
from parley_client.turns import Turn
from parley_client.types import Page, TurnEvent
from parley_client.wire import Timeouts, Wire, answer, is_stream

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])


def _calling(build: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    return _documented(method, build)


def _walking(build: Callable[P, Call[Page[T]]]) -> "Callable[Concatenate[Client, P], Iterator[T]]":
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        call: Call[Page[T]] | None = build(*args, **kwargs)
        while call is not None:
            page = self.send(call)
            yield from page.items
            call = call.page_after(page)

    return _documented(method, build)


def _async_calling(
    build: Callable[P, Call[T]],
) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(*args, **kwargs))

    return _documented(method, build)


def _async_walking(
    build: Callable[P, Call[Page[T]]],
) -> "Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]":
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        call: Call[Page[T]] | None = build(*args, **kwargs)
        while call is not None:
            page = await self.send(call)
            for item in page.items:
                yield item
            call = call.page_after(page)

    return _documented(method, build)


def _documented(method: Method, build: Callable[..., Any]) -> Method:
    """Gives a lifted method the documentation and the arguments of its call."""
    update_wrapper(method, build)
    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [itself, *signature.parameters.values()]
    vars(method)["__signature__"] = inspect.Signature(parameters)
    return method


class Client:
    """Calls the gateway and waits. Threads may share one. Close it at the end, or use `with`."""

    def __init__(
        self, base_url: str, key: str | None = None, *, timeouts: Timeouts | None = None
    ) -> None:
        self._wire = Wire(base_url, key, timeouts)
        self._http = httpx.Client(**self._wire.client_options())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Sends any call of `parley_client.calls`; raises a ParleyError when it fails."""
        retries = sending(call, self._wire.timeouts)
        while True:
            try:
                return self._send_once(call)
            except ParleyError as error:
                time.sleep(retries.wait_after(error))

    def stream_chat(
        self, message: str, **options: Unpack[ChatOptions]
    ) -> Generator[TurnEvent, None, None]:
        """Sends a message and yields the reply's events. Closing does not stop the turn."""
        turn = Turn(calls.stream_chat(message, **options), self._wire.timeouts)
        return self._follow(turn)

    def stream_message(
        self, chat_id: str, message_id: str, after: str | None = None
    ) -> Generator[TurnEvent, None, None]:
        """Yields a reply's events from a position on, to its end. Closing does not stop it."""
        call = calls.stream_message(chat_id, message_id, after)
        return self._follow(Turn(call, self._wire.timeouts, (chat_id, message_id)))

    def _send_once(self, call: Call[T]) -> T:
        with self._wire.reaching():
            response = self._http.request(**self._wire.request(call))
        return call.answered(answer(response))

    def _follow(self, turn: Turn) -> Generator[TurnEvent, None, None]:
        while not turn.over:
            try:
                yield from self._stream_once(turn)
            except ParleyError as error:
                if not turn.over:
                    time.sleep(turn.wait_after(error))

    def _stream_once(self, turn: Turn) -> Generator[TurnEvent, None, None]:
        request = self._wire.stream(turn.call())
        with self._wire.reaching(), self._http.stream(**request) as response:
            if not is_stream(response):
                response.read()
                raise refusal(answer(response))
            turn.opened()
            for chunk in response.iter_bytes():
                yield from turn.feed(chunk)
            turn.finish()

    about = _calling(calls.about)
    health = _calling(calls.health)
    is_live = _calling(calls.is_live)
    is_ready = _calling(calls.is_ready)
    chat = _calling(calls.chat)
    stop_message = _calling(calls.stop_message)
    list_chats = _calling(calls.list_chats)
    all_chats = _walking(calls.list_chats)
    get_chat = _calling(calls.get_chat)
    list_messages = _calling(calls.list_messages)
    all_messages = _walking(calls.list_messages)
    delete_chat = _calling(calls.delete_chat)
    get_active_prompt = _calling(calls.get_active_prompt)
    set_active_prompt = _calling(calls.set_active_prompt)
    list_prompts = _calling(calls.list_prompts)
    all_prompts = _walking(calls.list_prompts)
    create_prompt = _calling(calls.create_prompt)
    get_prompt = _calling(calls.get_prompt)
    update_prompt = _calling(calls.update_prompt)
    delete_prompt = _calling(calls.delete_prompt)
    activate_prompt = _calling(calls.activate_prompt)
    list_providers = _calling(provider_calls.list_providers)
    list_models = _calling(provider_calls.list_models)
    get_provider_health = _calling(provider_calls.get_provider_health)
    create_provider = _calling(provider_calls.create_provider)
    update_provider = _calling(provider_calls.update_provider)
    delete_provider = _calling(provider_calls.delete_provider)
    set_credential = _calling(provider_calls.set_credential)
    delete_credential = _calling(provider_calls.delete_credential)
    rotate_credentials = _calling(provider_calls.rotate_credentials)
    refresh_models = _calling(provider_calls.refresh_models)
    update_model = _calling(provider_calls.update_model)
    reset_model = _calling(provider_calls.reset_model)
    list_aliases = _calling(alias_calls.list_aliases)
    set_alias = _calling(alias_calls.set_alias)
    delete_alias = _calling(alias_calls.delete_alias)
    summarize_usage = _calling(usage_calls.summarize_usage)
    summarize_usage_as_csv = _calling(usage_calls.summarize_usage_as_csv)
    list_usage_records = _calling(usage_calls.list_usage_records)
    all_usage_records = _walking(usage_calls.list_usage_records)
    me = _calling(account_calls.me)
    create_my_context = _calling(account_calls.create_my_context)
    list_users = _calling(account_calls.list_users)
    all_users = _walking(account_calls.list_users)
    create_user = _calling(account_calls.create_user)
    get_user = _calling(account_calls.get_user)
    update_user = _calling(account_calls.update_user)
    list_keys = _calling(account_calls.list_keys)
    all_keys = _walking(account_calls.list_keys)
    create_key = _calling(account_calls.create_key)
    rotate_key = _calling(account_calls.rotate_key)
    delete_key = _calling(account_calls.delete_key)
    list_audit = _calling(account_calls.list_audit)
    all_audit = _walking(account_calls.list_audit)


class AsyncClient:
    """Calls the gateway from a coroutine. Close it at the end, or use `async with`."""

    def __init__(
        self, base_url: str, key: str | None = None, *, timeouts: Timeouts | None = None
    ) -> None:
        self._wire = Wire(base_url, key, timeouts)
        self._http = httpx.AsyncClient(**self._wire.client_options())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Sends any call of `parley_client.calls`; raises a ParleyError when it fails."""
        retries = sending(call, self._wire.timeouts)
        while True:
            try:
                return await self._send_once(call)
            except ParleyError as error:
                await asyncio.sleep(retries.wait_after(error))

    def stream_chat(
        self, message: str, **options: Unpack[ChatOptions]
    ) -> AsyncGenerator[TurnEvent, None]:
        """Sends a message and yields the reply's events. Closing does not stop the turn."""
        turn = Turn(calls.stream_chat(message, **options), self._wire.timeouts)
        return self._follow(turn)

    def stream_message(
        self, chat_id: str, message_id: str, after: str | None = None
    ) -> AsyncGenerator[TurnEvent, None]:
        """Yields a reply's events from a position on, to its end. Closing does not stop it."""
        call = calls.stream_message(chat_id, message_id, after)
        return self._follow(Turn(call, self._wire.timeouts, (chat_id, message_id)))

    async def _send_once(self, call: Call[T]) -> T:
        with self._wire.reaching():
            response = await self._http.request(**self._wire.request(call))
        return call.answered(answer(response))

    async def _follow(self, turn: Turn) -> AsyncGenerator[TurnEvent, None]:
        while not turn.over:
            try:
                async with aclosing(self._stream_once(turn)) as events:
                    async for event in events:
                        yield event
            except ParleyError as error:
                if not turn.over:
                    await asyncio.sleep(turn.wait_after(error))

    async def _stream_once(self, turn: Turn) -> AsyncGenerator[TurnEvent, None]:
        request = self._wire.stream(turn.call())
        with self._wire.reaching():
            async with self._http.stream(**request) as response:
                if not is_stream(response):
                    await response.aread()
                    raise refusal(answer(response))
                turn.opened()
                async for chunk in response.aiter_bytes():
                    for event in turn.feed(chunk):
                        yield event
                turn.finish()

    about = _async_calling(calls.about)
    health = _async_calling(calls.health)
    is_live = _async_calling(calls.is_live)
    is_ready = _async_calling(calls.is_ready)
    chat = _async_calling(calls.chat)
    stop_message = _async_calling(calls.stop_message)
    list_chats = _async_calling(calls.list_chats)
    all_chats = _async_walking(calls.list_chats)
    get_chat = _async_calling(calls.get_chat)
    list_messages = _async_calling(calls.list_messages)
    all_messages = _async_walking(calls.list_messages)
    delete_chat = _async_calling(calls.delete_chat)
    get_active_prompt = _async_calling(calls.get_active_prompt)
    set_active_prompt = _async_calling(calls.set_active_prompt)
    list_prompts = _async_calling(calls.list_prompts)
    all_prompts = _async_walking(calls.list_prompts)
    create_prompt = _async_calling(calls.create_prompt)
    get_prompt = _async_calling(calls.get_prompt)
    update_prompt = _async_calling(calls.update_prompt)
    delete_prompt = _async_calling(calls.delete_prompt)
    activate_prompt = _async_calling(calls.activate_prompt)
    list_providers = _async_calling(provider_calls.list_providers)
    list_models = _async_calling(provider_calls.list_models)
    get_provider_health = _async_calling(provider_calls.get_provider_health)
    create_provider = _async_calling(provider_calls.create_provider)
    update_provider = _async_calling(provider_calls.update_provider)
    delete_provider = _async_calling(provider_calls.delete_provider)
    set_credential = _async_calling(provider_calls.set_credential)
    delete_credential = _async_calling(provider_calls.delete_credential)
    rotate_credentials = _async_calling(provider_calls.rotate_credentials)
    refresh_models = _async_calling(provider_calls.refresh_models)
    update_model = _async_calling(provider_calls.update_model)
    reset_model = _async_calling(provider_calls.reset_model)
    list_aliases = _async_calling(alias_calls.list_aliases)
    set_alias = _async_calling(alias_calls.set_alias)
    delete_alias = _async_calling(alias_calls.delete_alias)
    summarize_usage = _async_calling(usage_calls.summarize_usage)
    summarize_usage_as_csv = _async_calling(usage_calls.summarize_usage_as_csv)
    list_usage_records = _async_calling(usage_calls.list_usage_records)
    all_usage_records = _async_walking(usage_calls.list_usage_records)
    me = _async_calling(account_calls.me)
    create_my_context = _async_calling(account_calls.create_my_context)
    list_users = _async_calling(account_calls.list_users)
    all_users = _async_walking(account_calls.list_users)
    create_user = _async_calling(account_calls.create_user)
    get_user = _async_calling(account_calls.get_user)
    update_user = _async_calling(account_calls.update_user)
    list_keys = _async_calling(account_calls.list_keys)
    all_keys = _async_walking(account_calls.list_keys)
    create_key = _async_calling(account_calls.create_key)
    rotate_key = _async_calling(account_calls.rotate_key)
    delete_key = _async_calling(account_calls.delete_key)
    list_audit = _async_calling(account_calls.list_audit)
    all_audit = _async_walking(account_calls.list_audit)
