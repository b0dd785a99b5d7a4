"""The control API under /sandbox/: counters, state, changes, faults."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lms_assets.sandbox.calls.exchange import encoded
from lms_assets.sandbox.changes.changes import mutate
from lms_assets.sandbox.faults.kinds import KINDS
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.server.index_page import index_html


def routes(sandbox: Sandbox) -> list[BaseRoute]:
    """The control routes; they need no key and count for no limit."""
    control = _Control(sandbox)
    return [
        Route("/", control.index),
        Route("/sandbox/stats", control.stats),
        Route("/sandbox/stats/reset", control.reset_stats, methods=["POST"]),
        Route("/sandbox/calls", control.calls),
        Route("/sandbox/arrivals", control.arrivals),
        Route("/sandbox/state", control.state),
        Route("/sandbox/mutate", control.mutate, methods=["POST"]),
        Route("/sandbox/faults", control.faults),
        Route("/sandbox/faults", control.add_fault, methods=["POST"]),
        Route("/sandbox/faults/reset", control.reset_faults, methods=["POST"]),
        Route("/sandbox/faults/{number:int}", control.remove_fault, methods=["DELETE"]),
    ]


class _Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def index(self, request: Request) -> Response:
        return HTMLResponse(index_html(self._sandbox, str(request.base_url).rstrip("/")))

    async def stats(self, _: Request) -> Response:
        return JSONResponse(self._sandbox.summary())

    async def reset_stats(self, _: Request) -> Response:
        self._sandbox.reset_stats()
        return JSONResponse({"ok": True})

    async def calls(self, _: Request) -> Response:
        return JSONResponse({"calls": list(self._sandbox.stats.latest)})

    async def arrivals(self, _: Request) -> Response:
        """Every call since the last reset: time (Unix), vendor, endpoint, address, status, bytes of the answer."""
        return JSONResponse({"arrivals": self._sandbox.stats.arrivals})

    async def state(self, _: Request) -> Response:
        state = self._sandbox.vendor_state.state() | {"clock": self._sandbox.clock.text()}
        return Response(encoded(state), media_type="application/json")

    async def mutate(self, request: Request) -> Response:
        """One action, or a list of actions done in order."""
        try:
            asked = await request.json()
            several = isinstance(asked, list)
            results = [self._one(entry) for entry in (asked if several else [asked])]
        except (ValueError, TypeError) as error:
            return _refused(error)
        return JSONResponse({"ok": True, "result": results if several else results[0]})

    def _one(self, asked: Any) -> str | int:
        if not isinstance(asked, dict) or "action" not in asked:
            raise ValueError('send {"action": name, ...arguments}')
        return mutate(self._sandbox, **asked)

    async def faults(self, _: Request) -> Response:
        kinds = {name: {"meaning": kind.meaning, "options": kind.options} for name, kind in KINDS.items()}
        return JSONResponse({"rules": self._sandbox.faults.listing(), "kinds": kinds})

    async def add_fault(self, request: Request) -> Response:
        try:
            rule = await request.json()
            number = self._sandbox.faults.add(**rule)
        except (ValueError, TypeError) as error:
            return _refused(error)
        return JSONResponse({"ok": True, "number": number})

    async def remove_fault(self, request: Request) -> Response:
        try:
            self._sandbox.faults.remove(request.path_params["number"])
        except KeyError as error:
            return _refused(ValueError(f"there is no fault rule {error.args[0]}"))
        return JSONResponse({"ok": True})

    async def reset_faults(self, _: Request) -> Response:
        self._sandbox.faults.reset()
        return JSONResponse({"ok": True})


def _refused(error: Exception) -> Response:
    problem = "the body is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
    return JSONResponse({"ok": False, "error": problem}, status_code=422)
