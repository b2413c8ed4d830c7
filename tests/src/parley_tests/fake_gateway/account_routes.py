"""What the fake gateway says of the caller, of users, of keys, and of who did what."""

from aiohttp import web

from parley_tests.fake_gateway.routes import GATEWAY, found, page, reader
from parley_tests.fake_gateway.state import JSON, problem, refused

MADE = "parley_secret_wxyz"  # the secret of every key that is asked for
account_routes = web.RouteTableDef()


def caller(request: web.Request) -> JSON:
    by = reader(request)
    if by is None:  # the front has let nobody in
        raise refused(problem(401, "unauthenticated", "The key is missing or wrong."))
    return by


def administrator(request: web.Request) -> JSON:
    by = caller(request)
    if by["role"] != "admin":
        raise refused(problem(403, "permission_denied", "This is for administrators."))
    return by


@account_routes.get("/me")
async def me(request: web.Request) -> web.Response:
    fake, by = request.app[GATEWAY], caller(request)
    shown = request.headers["Authorization"].removeprefix("Bearer ")
    own: JSON = {"key_id": "k1", "name": "admin", "scopes": [], "expires_at": None}
    key = fake.keys.get(fake.tokens.get(shown, ("", ""))[1], own)
    said = {"limits": {"requests_per_hour": 1000}, "budgets": {"daily": "1.50"}, **fake.me}
    names = ("key_id", "name", "scopes", "expires_at")
    user = {name: by[name] for name in ("user_id", "name", "role")}
    return web.json_response({**user, "key": {name: key[name] for name in names}, **said})


@account_routes.post("/me/context")
async def create_my_context(request: web.Request) -> web.Response:
    by, fake = caller(request), request.app[GATEWAY]
    if fake.vouch is None:
        raise refused(problem(503, "unavailable", "This fake signs nothing."))
    return web.json_response(fake.vouch(by["user_id"]), status=201)


@account_routes.get("/users")
async def list_users(request: web.Request) -> web.Response:
    administrator(request)
    return page(request.app[GATEWAY].users, request, "users")


@account_routes.post("/users")
async def create_user(request: web.Request) -> web.Response:
    administrator(request)
    fake, body = request.app[GATEWAY], await request.json()
    if body["name"] in {user["name"] for user in fake.users}:
        raise refused(problem(409, "user_exists", f"There is a user {body['name']!r}."))
    return web.json_response(fake.add_user(**body), status=201)


@account_routes.get("/users/{user_id}")
async def get_user(request: web.Request) -> web.Response:
    return web.json_response(asked(request))


@account_routes.patch("/users/{user_id}")
async def update_user(request: web.Request) -> web.Response:
    user, change = asked(request), await request.json()
    for part in ("limits", "budgets"):  # laid over what there is; null takes all of it back
        if part in change:
            change[part] = {**user[part], **change[part]} if change[part] else {}
    user |= change
    return web.json_response(user)


def asked(request: web.Request) -> JSON:
    administrator(request)
    known = {user["user_id"]: user for user in request.app[GATEWAY].users}
    return found(known, request.match_info["user_id"], "user_not_found")


@account_routes.get("/keys")
async def list_keys(request: web.Request) -> web.Response:
    whose = request.query.get("user_id") or caller(request)["user_id"]
    keys = [key for key in request.app[GATEWAY].keys.values() if key["user_id"] == whose]
    return page(keys, request, "keys")


@account_routes.post("/keys")
async def create_key(request: web.Request) -> web.Response:
    fake, by, body = request.app[GATEWAY], caller(request), await request.json()
    whose = body.pop("user_id", by["user_id"])
    if whose != by["user_id"]:
        administrator(request)
    key, token = fake.add_key(whose, token=MADE, **body)
    return web.json_response({**key, "key": token}, status=201)


@account_routes.post("/keys/{key_id}/rotate")
async def rotate_key(request: web.Request) -> web.Response:
    fake, old = request.app[GATEWAY], own_key(request)
    if old.get("rotated"):
        raise refused(problem(409, "key_rotated", "The key was rotated already."))
    old["rotated"] = True
    kept = {name: old[name] for name in ("scopes", "limits", "budgets", "expires_at")}
    key, token = fake.add_key(old["user_id"], old["name"], token=MADE, **kept)
    return web.json_response({**key, "key": token}, status=201)


@account_routes.delete("/keys/{key_id}")
async def delete_key(request: web.Request) -> web.Response:
    request.app[GATEWAY].revoke(own_key(request)["key_id"])
    return web.Response(status=204)


def own_key(request: web.Request) -> JSON:
    fake, by = request.app[GATEWAY], caller(request)
    key = found(fake.keys, request.match_info["key_id"], "key_not_found")
    if key["user_id"] != by["user_id"] and by["role"] != "admin":
        raise refused(problem(404, "key_not_found", "There is no such key."))
    return key


@account_routes.get("/audit")
async def list_audit(request: web.Request) -> web.Response:
    administrator(request)
    rows = [
        row
        for row in request.app[GATEWAY].audit
        if all(request.query.get(name, row[name]) == row[name] for name in ("actor", "action"))
    ]
    return page(rows, request, "entries")
