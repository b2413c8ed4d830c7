"""What the fake gateway says of providers: who they are, and what administrators decide."""

from typing import Any

from aiohttp import web

from parley_tests.fake_gateway.routes import GATEWAY, found
from parley_tests.fake_gateway.state import JSON, FakeGateway, now, problem, refused

CONFIGURED = frozenset({"base_url", "priority", "max_replies", "fallbacks", "retry_timeouts"})
provider_routes = web.RouteTableDef()


def shown(fake: FakeGateway, provider: JSON) -> JSON:
    """Returns a provider as the key's user may see it."""
    return provider if fake.role == "admin" else {**provider, "configuration": None}


def asked(request: web.Request) -> JSON:
    """Returns the provider of a request."""
    known = request.app[GATEWAY].providers
    return found(known, request.match_info["provider"], "provider_not_found")


def administered(request: web.Request) -> FakeGateway:
    """Returns the gateway to an administrator, and to nobody else."""
    fake = request.app[GATEWAY]
    if fake.role != "admin":
        raise refused(problem(403, "permission_denied", "Only an administrator may do this."))
    return fake


@provider_routes.get("/providers")
async def list_providers(request: web.Request) -> web.Response:
    fake = request.app[GATEWAY]
    return web.json_response({"providers": [shown(fake, one) for one in fake.providers.values()]})


@provider_routes.post("/providers")
async def create_provider(request: web.Request) -> web.Response:
    fake, body = administered(request), await request.json()
    if body["name"] in fake.providers:
        detail = f"There is a provider {body['name']!r} already."
        raise refused(problem(409, "provider_exists", detail))
    kind = found(fake.providers, body["plugin"], "plugin_not_found")
    fake.add_provider(
        body["name"], body.get("display_name") or body["name"], [], status="unconfigured"
    )
    made = fake.providers[body["name"]]
    made |= {"kind": kind["name"], "plugin": kind["plugin"]}
    made["configuration"]["base_url"] = body.get("base_url") or kind["configuration"]["base_url"]
    return web.json_response(made, status=201)


@provider_routes.patch("/providers/{provider}")
async def update_provider(request: web.Request) -> web.Response:
    fake, provider, body = administered(request), asked(request), await request.json()
    if body.get("is_default"):
        for other in fake.providers.values():
            other["is_default"] = False
    if "default_model" in body:
        provider["configuration"]["default_model_chosen"] = bool(body["default_model"])
        body["default_model"] = body["default_model"] or (provider["models"] or [None])[0]
    if body.get("enabled") is not None:
        provider["status"] = "ready" if body["enabled"] else "disabled"
    configuration = {name: body.pop(name) for name in CONFIGURED & set(body)}
    if "fallbacks" in configuration:
        configuration["fallbacks"] = configuration["fallbacks"] or []
    provider["configuration"] |= configuration
    provider |= body
    return web.json_response(provider)


@provider_routes.delete("/providers/{provider}")
async def delete_provider(request: web.Request) -> web.Response:
    fake, provider = administered(request), asked(request)
    if provider["kind"] == provider["name"]:
        detail = f"{provider['name']} comes with its plugin; switch it off instead."
        raise refused(problem(409, "provider_built_in", detail))
    del fake.providers[provider["name"]]
    return web.Response(status=204)


@provider_routes.put("/providers/{provider}/credentials")
async def set_credential(request: web.Request) -> web.Response:
    administered(request)
    provider, key = asked(request), (await request.json())["api_key"]
    provider["configuration"]["credential"] = {"source": "stored", "last4": key[-4:]}
    return web.json_response(provider)


@provider_routes.delete("/providers/{provider}/credentials")
async def delete_credential(request: web.Request) -> web.Response:
    administered(request)
    provider = asked(request)
    provider["configuration"]["credential"] = None
    return web.json_response(provider)


@provider_routes.post("/providers/credentials/rotate")
async def rotate_credentials(request: web.Request) -> web.Response:
    fake = administered(request)
    known = [one["configuration"]["credential"] for one in fake.providers.values()]
    stored = sum(bool(one) and one["source"] == "stored" for one in known)
    return web.json_response({"rotated": stored, "unreadable": fake.unreadable})


def offered(fake: FakeGateway, provider: JSON) -> list[JSON]:
    """Returns a provider's models: as its vendor lists them, and with what was laid over them."""
    name = provider["name"]
    added = [model for owner, model in fake.models if owner == name]
    names = dict.fromkeys([*provider["models"], *added])
    return [{**listed(one), **fake.models.get((name, one), {})} for one in names]


# What costs as any input.
UNSAID: JSON = {"cached_input": None, "cache_write": None, "long_cache_write": None}


def listed(model: str) -> JSON:
    price: JSON = {"input": "1.25", "output": "10", **UNSAID}
    price |= {"currency": "USD", "version": "2026-11"}
    limits = {"context_window": 128_000, "max_output_tokens": 8_192, "capabilities": ["streaming"]}
    marks = {"overridden": False, "gone_at": None}
    return {"name": model, "display_name": model.title(), **limits, "price": price, **marks}


@provider_routes.get("/providers/{provider}/models")
async def list_models(request: web.Request) -> web.Response:
    provider = asked(request)
    models = offered(request.app[GATEWAY], provider)
    return web.json_response({"provider": provider["name"], "models": models})


@provider_routes.post("/providers/{provider}/models/refresh")
async def refresh_models(request: web.Request) -> web.Response:
    fake, provider = administered(request), asked(request)
    return web.json_response({"provider": provider["name"], "models": offered(fake, provider)})


@provider_routes.patch("/providers/{provider}/models/{model:.+}")
async def update_model(request: web.Request) -> web.Response:
    fake, provider, body = administered(request), asked(request), await request.json()
    model = request.match_info["model"]
    if "price" in body:
        unsaid: dict[str, Any] = {**UNSAID, "currency": "USD", "version": "override"}
        body["price"] = {**unsaid, **body["price"]}
    known = fake.models.setdefault((provider["name"], model), {"overridden": True})
    known |= body
    return web.json_response({**listed(model), **known})


@provider_routes.delete("/providers/{provider}/models/{model:.+}")
async def reset_model(request: web.Request) -> web.Response:
    fake, provider = administered(request), asked(request)
    place = (provider["name"], request.match_info["model"])
    if place not in fake.models:
        raise refused(problem(404, "model_not_found", f"Nothing was laid over {place[1]!r}."))
    del fake.models[place]
    return web.Response(status=204)


@provider_routes.get("/aliases")
async def list_aliases(request: web.Request) -> web.Response:
    aliases = request.app[GATEWAY].aliases
    return web.json_response({"aliases": [aliases[name] for name in sorted(aliases)]})


@provider_routes.put("/aliases/{alias}")
async def set_alias(request: web.Request) -> web.Response:
    fake, body, alias = administered(request), await request.json(), request.match_info["alias"]
    found(fake.providers, body["provider"], "provider_not_found")
    meaning = {"provider": body["provider"], "model": body.get("model") or None}
    fake.aliases[alias] = {"alias": alias, **meaning, "updated_at": now()}
    return web.json_response(fake.aliases[alias])


@provider_routes.delete("/aliases/{alias}")
async def delete_alias(request: web.Request) -> web.Response:
    fake, alias = administered(request), request.match_info["alias"]
    found(fake.aliases, alias, "alias_not_found")
    del fake.aliases[alias]
    return web.Response(status=204)


@provider_routes.get("/providers/{provider}/health")
async def provider_health(request: web.Request) -> web.Response:
    provider = asked(request)
    seen = {"status": provider["status"], "latency_ms": 12, "checked_at": now()}
    return web.json_response({"provider": provider["name"], **seen, "detail": provider["error"]})
