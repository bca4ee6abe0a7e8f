"""REST routes of webhooks and their deliveries. A secret goes in and is never shown again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bot.local.github.app import Operation, operation
from bot.local.github.hub import Hub, iso
from bot.local.github.nouns import Delivery, Hook, Json
from bot.local.github.rest import ApiError, Call, Reply, invalid, no_content, not_found, paged
from bot.local.github.shapes import owner_json, repository_json
from bot.local.github.webhooks import Announcer

_HIDDEN = "********"


def hook_json(hub: Hub, hook: Hook) -> Json:
    url = f"{hub.api}/hooks/{hook.id}"
    last = hook.deliveries[0] if hook.deliveries else None
    config = {"content_type": "json", "insecure_ssl": "0", "url": hook.url}
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": list(hook.events),
        "config": {**config, "secret": _HIDDEN} if hook.secret else config,
        "updated_at": iso(hook.updated_at),
        "created_at": iso(hook.created_at),
        "url": url,
        "test_url": f"{url}/tests",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {
            "code": last.status_code if last else None,
            "status": last.status if last else "unused",
            "message": last.status if last else None,
        },
    }


def delivery_json(delivery: Delivery) -> Json:
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": iso(delivery.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": delivery.duration_s,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": None,
        "repository_id": 1,
        "throttled_at": None,
    }


def full_delivery_json(hook: Hook, delivery: Delivery) -> Json:
    return {
        **delivery_json(delivery),
        "url": hook.url,
        "request": {"headers": dict(delivery.request_headers), "payload": delivery.payload},
        "response": {"headers": dict(delivery.response_headers), "payload": delivery.response_body},
    }


def _hook(call: Call) -> Hook:
    hook = call.hub.store.hooks.get(call.number("id"))
    if hook is None:
        raise not_found()
    return hook


def _config(call: Call) -> Mapping[str, Any]:
    config = call.fields().get("config")
    if not isinstance(config, dict):
        raise invalid("Hook", "config", "missing_field")
    if config.get("content_type", "form") != "json":
        raise ApiError(422, "The embedded GitHub delivers JSON only: set config.content_type to json.")
    url = config.get("url")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise invalid("Hook", "url", "invalid", "url is not an http(s) address")
    return config


def create_hook(call: Call) -> Reply:
    hub, config = call.hub, _config(call)
    if call.text("name", "web") != "web":
        raise invalid("Hook", "name", "invalid")
    events = tuple(call.strings("events") or ["push"])
    if any((hook.url, set(hook.events)) == (config["url"], set(events)) for hook in hub.store.hooks.values()):
        raise ApiError(
            422, "Validation Failed", [{"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"}]
        )
    now = hub.clock()
    hook = Hook(hub.store.next_id(), config["url"], config.get("secret") or None, events, call.flag("active", True), now, now)
    hub.store.hooks[hook.id] = hook
    return Reply(hook_json(hub, hook), 201)


def update_hook(call: Call) -> Reply:
    hook = _hook(call)
    if "config" in call.fields():
        config = _config(call)
        hook = replace(hook, url=config["url"], secret=config.get("secret") or None)
    hook = replace(hook, events=tuple(call.strings("events") or hook.events), active=call.flag("active", hook.active))
    call.hub.store.hooks[hook.id] = replace(hook, updated_at=call.hub.clock())
    return Reply(hook_json(call.hub, call.hub.store.hooks[hook.id]))


def list_hooks(call: Call) -> Reply:
    return paged(call, list(call.hub.store.hooks.values()), lambda hook: hook_json(call.hub, hook))


def get_hook(call: Call) -> Reply:
    return Reply(hook_json(call.hub, _hook(call)))


def delete_hook(call: Call) -> Reply:
    del call.hub.store.hooks[_hook(call).id]
    return no_content()


def list_deliveries(call: Call) -> Reply:
    return paged(call, _hook(call).deliveries, delivery_json)


def _delivery(call: Call) -> tuple[Hook, Delivery]:
    hook, wanted = _hook(call), call.number("delivery")
    found = [delivery for delivery in hook.deliveries if delivery.id == wanted]
    if not found:
        raise not_found()
    return hook, found[0]


def get_delivery(call: Call) -> Reply:
    return Reply(full_delivery_json(*_delivery(call)))


def operations(announcer: Announcer) -> tuple[Operation, ...]:
    async def redeliver(call: Call) -> Reply:
        hook, delivery = _delivery(call)
        announcer.send(hook, delivery.event, delivery.action, delivery.payload, guid=delivery.guid)
        return Reply({}, 202)

    async def ping(call: Call) -> Reply:
        hook, hub = _hook(call), call.hub
        payload = {"zen": "Keep it logically awesome.", "hook_id": hook.id, "hook": hook_json(hub, hook)}
        announcer.send(hook, "ping", None, {**payload, "repository": repository_json(hub), "sender": owner_json(hub)})
        return no_content()

    return (
        operation("GET", "/hooks", list_hooks, "admin", "administration"),
        operation("POST", "/hooks", create_hook, "admin", "administration"),
        operation("GET", "/hooks/{id}", get_hook, "admin", "administration"),
        operation("PATCH", "/hooks/{id}", update_hook, "admin", "administration"),
        operation("DELETE", "/hooks/{id}", delete_hook, "admin", "administration"),
        operation("POST", "/hooks/{id}/pings", ping, "admin", "administration"),
        operation("GET", "/hooks/{id}/deliveries", list_deliveries, "admin", "administration"),
        operation("GET", "/hooks/{id}/deliveries/{delivery}", get_delivery, "admin", "administration"),
        operation("POST", "/hooks/{id}/deliveries/{delivery}/attempts", redeliver, "admin", "administration"),
    )
