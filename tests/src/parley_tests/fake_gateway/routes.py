"""What the fake gateway says on the wire."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from parley_tests.fake_gateway.state import (
    ADMIN,
    JSON,
    FakeGateway,
    Received,
    Refused,
    now,
    problem,
    refused,
)

GATEWAY = web.AppKey("gateway", FakeGateway)
routes = web.RouteTableDef()


def page(items: list[JSON], request: web.Request, name: str, **more: Any) -> web.Response:
    size, start = int(request.query.get("page_size", 20)), int(request.query.get("page_token", 0))
    end = start + size
    token = str(end) if end < len(items) else None
    return web.json_response({**more, name: items[start:end], "next_page_token": token})


@web.middleware
async def front(request: web.Request, handler: Any) -> web.StreamResponse:
    """Notes the request, checks the key, and answers what is to be refused with a problem."""
    fake = request.app[GATEWAY]
    body = await request.json() if request.can_read_body else None
    route = f"{request.method} {request.path}"
    fake.received.append(
        Received(request.method, request.path, dict(request.query), dict(request.headers), body)
    )
    open_to_all = request.path in ("/", "/health", "/livez", "/readyz")
    try:
        if fake.passing.get(route):
            raise refused(fake.passing[route].pop(0))
        if route in fake.refusals:
            raise refused(fake.refusals[route])
        if not open_to_all and reader(request) is None:
            raise refused(problem(401, "unauthenticated", "The key is missing or wrong."))
        answer: web.StreamResponse = await handler(request)
    except Refused as error:
        answer = as_response(dict(error.args[0]))
    except web.HTTPNotFound:
        answer = as_response(problem(404, "route_not_found", "There is no such route."))
    if fake.lost.get(route) and request.transport is not None:
        fake.lost[route] -= 1
        request.transport.close()
    return answer


def reader(request: web.Request) -> JSON | None:
    """Returns the user whose key was shown."""
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return request.app[GATEWAY].readers().get(shown)


def own_chats(request: web.Request) -> dict[str, JSON]:
    """Returns the chats of the user whose key was shown; to them, no others are there."""
    fake, by = request.app[GATEWAY], reader(request)
    user_id = by["user_id"] if by else ""
    chats = fake.chats.items()
    return {name: chat for name, chat in chats if fake.owners.get(name, ADMIN) == user_id}


def as_response(document: JSON) -> web.Response:
    retry_after = document.pop("retry_after", None)
    request_id = str(uuid.uuid4())
    headers = {"X-Request-Id": request_id, "Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    text = json.dumps({**document, "instance": request_id})
    return web.Response(status=document["status"], text=text, headers=headers)


def found(things: Mapping[str, JSON], name: str, reason: str) -> JSON:
    if name not in things:
        raise refused(problem(404, reason, f"There is no {name!r}."))
    return things[name]


@routes.get("/")
async def about(_: web.Request) -> web.Response:
    return web.json_response({"name": "Parley", "version": "0.1.0", "links": {"docs": "/docs"}})


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    providers = {n: p["status"] for n, p in request.app[GATEWAY].providers.items()}
    services = dict.fromkeys(("chat", "prompt", "provider", "database"), "ok")
    document = {"status": "ok", "version": "0.1.0", "services": services, "providers": providers}
    return web.json_response(document)


@routes.get("/livez")
@routes.get("/readyz")
async def probe(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@routes.get("/chat/history")
async def list_chats(request: web.Request) -> web.Response:
    newest = sorted(own_chats(request).values(), key=lambda one: one["updated_at"], reverse=True)
    return page(newest, request, "chats")


@routes.get("/chat/history/{chat_id}")
async def get_chat(request: web.Request) -> web.Response:
    fake, chat_id = request.app[GATEWAY], request.match_info["chat_id"]
    known = found(own_chats(request), chat_id, "chat_not_found")
    return page(fake.messages.get(chat_id, []), request, "messages", **known)


@routes.delete("/chat/delete/{chat_id}")
async def delete_chat(request: web.Request) -> web.Response:
    fake, chat_id = request.app[GATEWAY], request.match_info["chat_id"]
    found(own_chats(request), chat_id, "chat_not_found")
    for message in fake.messages[chat_id]:
        fake.stop(message, "failed")
    del fake.chats[chat_id], fake.messages[chat_id]
    return web.Response(status=204)


def active(fake: FakeGateway) -> web.Response:
    now_used = fake.prompts[fake.active]
    names = ("prompt_id", "name", "version")
    return web.json_response({"prompt": now_used["content"], **{n: now_used[n] for n in names}})


@routes.get("/system-prompt")
async def get_active_prompt(request: web.Request) -> web.Response:
    return active(request.app[GATEWAY])


@routes.post("/system-prompt")
async def set_active_prompt(request: web.Request) -> web.Response:
    fake = request.app[GATEWAY]
    version = fake.prompts.get("custom", {"version": 0})["version"] + 1
    fake.add_prompt("Custom", (await request.json())["prompt"], version=version)
    fake.active = "custom"
    return active(fake)


def shown(fake: FakeGateway, prompt: JSON) -> JSON:
    return {**prompt, "is_active": prompt["prompt_id"] == fake.active}


@routes.get("/system-prompts")
async def list_prompts(request: web.Request) -> web.Response:
    fake = request.app[GATEWAY]
    return page([shown(fake, one) for one in fake.prompts.values()], request, "prompts")


@routes.post("/system-prompts")
async def create_prompt(request: web.Request) -> web.Response:
    fake, body = request.app[GATEWAY], await request.json()
    if body["name"].lower().replace(" ", "-") in fake.prompts:
        raise refused(problem(409, "prompt_exists", f"There is a prompt {body['name']!r}."))
    return web.json_response(shown(fake, fake.add_prompt(**body)), status=201)


@routes.get("/system-prompts/{prompt_id}")
async def get_prompt(request: web.Request) -> web.Response:
    fake, name = request.app[GATEWAY], request.match_info["prompt_id"]
    return web.json_response(shown(fake, found(fake.prompts, name, "prompt_not_found")))


@routes.put("/system-prompts/{prompt_id}")
async def update_prompt(request: web.Request) -> web.Response:
    fake, name = request.app[GATEWAY], request.match_info["prompt_id"]
    prompt = found(fake.prompts, name, "prompt_not_found")
    if prompt["shared"]:
        raise refused(problem(409, "prompt_shared", "A shared prompt cannot be changed."))
    prompt |= {**await request.json(), "version": prompt["version"] + 1, "updated_at": now()}
    return web.json_response(shown(fake, prompt))


@routes.delete("/system-prompts/{prompt_id}")
async def delete_prompt(request: web.Request) -> web.Response:
    fake, name = request.app[GATEWAY], request.match_info["prompt_id"]
    found(fake.prompts, name, "prompt_not_found")
    del fake.prompts[name]
    fake.active = "default" if fake.active == name else fake.active
    return web.Response(status=204)


@routes.post("/system-prompts/{prompt_id}/activate")
async def activate_prompt(request: web.Request) -> web.Response:
    fake, name = request.app[GATEWAY], request.match_info["prompt_id"]
    prompt = found(fake.prompts, name, "prompt_not_found")
    fake.active = name
    return web.json_response(shown(fake, prompt))
