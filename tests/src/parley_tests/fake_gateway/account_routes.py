"""What the fake gateway says of users, keys and the audit log."""

import uuid

from aiohttp import web

from parley_tests.fake_gateway.routes import GATEWAY, found, page
from parley_tests.fake_gateway.state import JSON, now, problem, refused

NO_LIMITS = dict.fromkeys(("requests_per_hour", "tokens_per_minute", "concurrent_turns"))
NO_BUDGETS = dict.fromkeys(("daily", "monthly"))
account_routes = web.RouteTableDef()


@account_routes.get("/me")
async def me(request: web.Request) -> web.Response:
    key: JSON = {"key_id": "k1", "name": "admin", "scopes": [], "expires_at": None}
    limits = {"requests_per_hour": 1000}
    user = {"user_id": str(uuid.uuid4()), "name": "admin", "role": request.app[GATEWAY].role}
    return web.json_response({**user, "key": key, "limits": limits, "budgets": {"daily": "1.50"}})


@account_routes.get("/users")
async def list_users(request: web.Request) -> web.Response:
    return page(request.app[GATEWAY].users, request, "users")


@account_routes.post("/users")
async def create_user(request: web.Request) -> web.Response:
    user: JSON = {"user_id": str(uuid.uuid4()), "role": "user", "disabled": False}
    user |= {"created_at": now(), "limits": {**NO_LIMITS}, "budgets": {**NO_BUDGETS}}
    user |= await request.json()
    request.app[GATEWAY].users.append(user)
    return web.json_response(user, status=201)


def asked(request: web.Request) -> JSON:
    """Returns the user of a request."""
    known = {user["user_id"]: user for user in request.app[GATEWAY].users}
    return found(known, request.match_info["user_id"], "user_not_found")


@account_routes.get("/users/{user_id}")
async def get_user(request: web.Request) -> web.Response:
    return web.json_response(asked(request))


@account_routes.patch("/users/{user_id}")
async def update_user(request: web.Request) -> web.Response:
    user, body = asked(request), await request.json()
    for part, nothing in (("limits", NO_LIMITS), ("budgets", NO_BUDGETS)):
        if part in body:
            user[part] = {**nothing} if body[part] is None else {**user[part], **body.pop(part)}
            body.pop(part, None)
    user |= body
    return web.json_response(user)


@account_routes.get("/keys")
async def list_keys(request: web.Request) -> web.Response:
    owner = request.query.get("user_id")
    keys = request.app[GATEWAY].keys.values()
    return page([key for key in keys if owner in (None, key["user_id"])], request, "keys")


def made(request: web.Request, **said: object) -> web.Response:
    """Stores a key, and shows it this once."""
    times = {"expires_at": None, "last_used_at": None, "created_at": now()}
    key: JSON = {"key_id": str(uuid.uuid4()), "last4": "wxyz", "scopes": [], "user_id": "me"}
    key |= {**times, "limits": {**NO_LIMITS}, "budgets": {**NO_BUDGETS}, **said}
    request.app[GATEWAY].keys[key["key_id"]] = key
    return web.json_response({**key, "key": "parley_secret_wxyz"}, status=201)


@account_routes.post("/keys")
async def create_key(request: web.Request) -> web.Response:
    return made(request, **await request.json())


@account_routes.post("/keys/{key_id}/rotate")
async def rotate_key(request: web.Request) -> web.Response:
    old = found(request.app[GATEWAY].keys, request.match_info["key_id"], "key_not_found")
    if old.get("rotated"):
        raise refused(problem(409, "key_rotated", "The key was rotated already."))
    old["rotated"] = True
    same = ("name", "scopes", "user_id", "limits", "budgets")
    return made(request, **{name: old[name] for name in same})


@account_routes.delete("/keys/{key_id}")
async def delete_key(request: web.Request) -> web.Response:
    fake, key_id = request.app[GATEWAY], request.match_info["key_id"]
    found(fake.keys, key_id, "key_not_found")
    del fake.keys[key_id]
    return web.Response(status=204)


@account_routes.get("/audit")
async def list_audit(request: web.Request) -> web.Response:
    action = request.query.get("action")
    entries = request.app[GATEWAY].audit
    return page([one for one in entries if action in (None, one["action"])], request, "entries")
