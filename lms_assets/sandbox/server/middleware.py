"""What every vendor call passes, in this order: stamp and rate limit, key, faults, handler, damage, latency.

Also turns replies into ASGI messages, and breaks connections on purpose.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import suppress
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from lms_assets.sandbox.calls.exchange import Call, Refused, Reply, Vendor, error_reply
from lms_assets.sandbox.changes.changes import mutate
from lms_assets.sandbox.faults import effects as fault_effects
from lms_assets.sandbox.impartner import api as impartner_api
from lms_assets.sandbox.northpass import api as northpass_api
from lms_assets.sandbox.sandbox import Sandbox

BASES: dict[Vendor, str] = {"northpass": "/v2", "impartner": "/api/objects/v1"}
_HANDLERS: dict[str, Any] = {**northpass_api.ENDPOINTS, **impartner_api.ENDPOINTS}
# RST instead of an orderly end: linger on, zero seconds.
_LINGER_ZERO = struct.pack("ii", 1, 0)


class ApiEndpoint:
    """The ASGI endpoint of one vendor endpoint; `template` is None for paths that the vendor does not have."""

    def __init__(self, sandbox: Sandbox, vendor: Vendor, template: str | None) -> None:
        self._sandbox = sandbox
        self._vendor = vendor
        self._template = template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        sandbox, request = self._sandbox, Request(scope, receive)
        arrived = await self._arrival(scope)
        call = self._call(request)
        sandbox.stats.arrived(call.vendor, call.endpoint)
        admitted = sandbox.limits[call.vendor].admit(arrived)
        if not admitted:
            reply = self._throttled(call, arrived)
        elif not _authorised(sandbox, call.vendor, request):
            reply = error_reply(call.vendor, 401, "Unauthorized", "the key (or tenant) is missing or wrong")
        else:
            call.body = await request.body()
            reply = await self._answered(call, receive)
        if admitted and sandbox.config.latency_ms:
            await asyncio.sleep(sandbox.config.latency_ms / 1000)
        self._note(call, reply, arrived)
        await _send(reply, scope, send, self._date(call))
        if reply.cut:
            await _reset(scope, receive)

    async def _arrival(self, scope: Scope) -> float:
        """When the request is at the vendor's door, in monotonic seconds: a little later when the way is uneven."""
        jitter = self._sandbox.config.jitter_ms
        if jitter:
            await asyncio.sleep(self._sandbox.jitter.uniform(0, 2 * jitter) / 1000)
            return time.monotonic()
        return scope.get("sandbox.arrived") or time.monotonic()

    def _call(self, request: Request) -> Call:
        base = BASES[self._vendor]
        path = request.url.path.removeprefix(base)
        endpoint = self._template or f"{request.method} (unknown)"
        if "object" in request.path_params:
            endpoint = endpoint.replace("{object}", request.path_params["object"])
        return Call(
            vendor=self._vendor,
            endpoint=endpoint,
            method=request.method,
            path=path,
            base_url=f"{request.url.scheme}://{request.headers.get('host', 'localhost')}{base}",
            params=request.path_params,
            query=request.query_params.multi_items(),
        )

    def _throttled(self, call: Call, arrived: float) -> Reply:
        limit, setting = self._sandbox.limits[call.vendor], self._sandbox.config.retry_after
        reply = error_reply(call.vendor, 429, "Too Many Requests", f"more than {limit.limit} requests in one second")
        if setting == "always" or (setting == "sometimes" and limit.refused % 2 == 0):
            reply.headers["Retry-After"] = "1"
        return reply

    async def _answered(self, call: Call, receive: Receive) -> Reply:
        sandbox = self._sandbox
        sandbox.faults.strike(call)
        if "slow" in call.faults:
            await _until_gone(receive, float(call.faults["slow"].get("seconds", 5)))
        if "mutate" in call.faults:
            options = call.faults["mutate"]
            try:
                mutate(sandbox, options["action"], **options.get("arguments", {}))
            except ValueError as error:
                return error_reply(call.vendor, 500, "Fault rule", f"the rule's action cannot be done: {error}")
        reply = fault_effects.instead(call)
        return reply or fault_effects.afterwards(call, await self._handled(call))

    async def _handled(self, call: Call) -> Reply:
        try:
            if self._template is None:
                raise Refused(404, "Not Found", f"there is no {call.method} {call.path}")
            reply: Reply = await _HANDLERS[self._template](self._sandbox, call)
        except Refused as refused:
            return error_reply(call.vendor, refused.status, refused.title, str(refused), refused.pointer)
        return reply

    def _date(self, call: Call) -> str:
        skew = float(call.faults["clock_skew"].get("seconds", 3600)) if "clock_skew" in call.faults else 0.0
        # The real time, whatever the data refers to: callers compare their own clock with it.
        return formatdate(time.time() + self._sandbox.date_shift + skew, usegmt=True)

    def _note(self, call: Call, reply: Reply, arrived: float) -> None:
        status = 0 if reply.cut == "before_status" else reply.status
        if self._sandbox.config.record_calls:
            at = time.time() - time.monotonic() + arrived
            address = f"{call.path}?{urlencode(call.query)}"
            size = len(reply.body)
            self._sandbox.stats.arrivals.append((at, call.vendor, call.endpoint, address, status, size))
        self._sandbox.stats.answered(
            {
                "vendor": call.vendor,
                "endpoint": call.endpoint,
                "path": call.path,
                "query": dict(call.query),
                "status": status,
                "at": self._sandbox.clock.text(),
                "faults": sorted(call.faults),
            }
        )


def _authorised(sandbox: Sandbox, vendor: Vendor, request: Request) -> bool:
    config = sandbox.config
    if vendor == "northpass":
        return request.headers.get("x-api-key") == config.northpass_key
    key_fits = request.headers.get("authorization") == f"prm-key {config.impartner_key}"
    return key_fits and request.headers.get("x-prm-tenantid") == config.impartner_tenant


async def _send(reply: Reply, scope: Scope, send: Send, date: str) -> None:
    if reply.cut == "before_status":
        return
    headers = {"content-type": reply.content_type, "date": date, **reply.headers}
    if reply.status != 204:
        headers["content-length"] = str(len(reply.body))
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    if reply.cut == "in_body":
        await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
        return
    await send({"type": "http.response.body", "body": reply.body})


async def _reset(scope: Scope, receive: Receive) -> None:
    """Break the connection so that the caller sees a reset; raises RuntimeError on a server that gives no access."""
    transport: asyncio.Transport | None = scope.get("sandbox.transport")
    if transport is None:
        raise RuntimeError("connections can only be broken when served by lms_assets.sandbox.server.server")
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
    # The server takes an unanswered call for a mistake unless it has seen the end of the connection.
    await _until_gone(receive, 1.0)


async def _until_gone(receive: Receive, seconds: float) -> None:
    """Wait so long, or until the caller hangs up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
