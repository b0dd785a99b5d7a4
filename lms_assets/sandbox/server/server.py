"""Serves the sandbox with uvicorn: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lms_assets.sandbox.changes.changes import mutate
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.faults.switchboard import FaultBoard
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.seeding.build import build_vendor_state
from lms_assets.sandbox.server.app import app_of
from lms_assets.sandbox.server.middleware import BASES
from lms_assets.sandbox.state.vendor_state import VendorState

_START_SECONDS = 120.0
_ACTION_SECONDS = 120.0


class _StampingProtocol(HttpToolsProtocol):
    """Stamps a request when its bytes are read, before it waits for its turn, and lends out its connection."""

    def on_headers_complete(self) -> None:
        """Called by the parser; adds `sandbox.arrived` (monotonic seconds) and `sandbox.transport` to the scope."""
        self.scope["sandbox.arrived"] = time.monotonic()  # type: ignore[typeddict-unknown-key]
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()


@dataclass(frozen=True, slots=True)
class SandboxHandle:
    """A running sandbox as tests see it."""

    url: str
    sandbox: Sandbox = field(repr=False)
    _loop: asyncio.AbstractEventLoop = field(repr=False)

    @property
    def northpass_url(self) -> str:
        """Up to and including `/v2`."""
        return self.url + BASES["northpass"]

    @property
    def impartner_url(self) -> str:
        """Up to and including `/api/objects/v1`."""
        return self.url + BASES["impartner"]

    @property
    def control_url(self) -> str:
        """Up to and including `/sandbox`."""
        return self.url + "/sandbox"

    @property
    def vendor_state(self) -> VendorState:
        """The data; change it through `mutate`."""
        return self.sandbox.vendor_state

    @property
    def faults(self) -> FaultBoard:
        """The fault switchboard."""
        return self.sandbox.faults

    def mutate(self, action: str, **arguments: Any) -> str | int:
        """Do an action of `changes.ACTIONS` between two calls; returns the id of what was made or changed."""

        async def between_calls() -> str | int:
            return mutate(self.sandbox, action, **arguments)

        return asyncio.run_coroutine_threadsafe(between_calls(), self._loop).result(_ACTION_SECONDS)

    def stats(self) -> dict[str, Any]:
        """The counters, as `GET /sandbox/stats` answers them."""
        return self.sandbox.summary()

    def calls(self) -> list[dict[str, Any]]:
        """The latest calls, oldest first."""
        return list(self.sandbox.stats.latest)

    def reset_stats(self) -> None:
        """Start counting again."""
        self.sandbox.reset_stats()


class _Server(uvicorn.Server):
    """Tells when it takes calls."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say so."""
        await super().startup(sockets)
        self._ready()


class _InThread(_Server):
    """Ends at once when it is told to: uvicorn looks every tenth of a second, and lets calls under way finish."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config, lambda: None)
        self._told_to_end = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Serve until `end`."""
        self._loop = asyncio.get_running_loop()
        self.server_state.default_headers = self.config.encoded_headers
        await self._told_to_end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more calls and drop those that nobody waits for any more."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def end(self) -> None:
        """Called from another thread, also before it serves and after it failed."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told_to_end.set)


def _config(sandbox: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        app_of(sandbox),
        http=_StampingProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        date_header=False,
        server_header=False,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=1,
        backlog=2048,
    )


@contextmanager
def running_sandbox(config: SandboxConfig | None = None, *, port: int = 0) -> Iterator[SandboxHandle]:
    """Serve a newly built vendor state on loopback in a thread of this process, on a free port unless one is given."""
    settings = config or SandboxConfig()
    sandbox = Sandbox(settings, build_vendor_state(settings))
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    server = _InThread(_config(sandbox))
    runner = asyncio.Runner(loop_factory=server.config.get_loop_factory())
    thread = threading.Thread(target=_run, args=(runner, server, listener), name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield SandboxHandle(f"http://127.0.0.1:{listener.getsockname()[1]}", sandbox, runner.get_loop())
    finally:
        server.end()
        thread.join(timeout=_START_SECONDS)
        listener.close()


def _run(runner: asyncio.Runner, server: uvicorn.Server, listener: socket.socket) -> None:
    with runner:
        runner.run(server.serve([listener]))


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"the sandbox did not start within {_START_SECONDS:.0f} s")
        time.sleep(0.005)


def serve(
    config: SandboxConfig,
    host: str = "127.0.0.1",
    port: int = 8765,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve in the foreground until interrupted; port 0 takes a free port. Raises OSError when the port is taken.

    `ready` is called once with the base URL as soon as calls are answered.
    """
    listener = socket.create_server((host, port), backlog=2048)
    sandbox = Sandbox(config, build_vendor_state(config))
    # A collection over a whole vendor state takes tens of milliseconds, in which requests would be stamped too late.
    gc.collect()
    gc.freeze()
    url = f"http://{host}:{listener.getsockname()[1]}"
    _Server(_config(sandbox), lambda: ready(url) if ready else None).run([listener])


def introduction(config: SandboxConfig, url: str) -> str:
    """What somebody at a terminal needs to use a sandbox that answers at `url`: addresses and its (public) keys."""
    return "\n".join(
        (
            f"NORTHPASS_BASE_URL={url}{BASES['northpass']}",
            f"NORTHPASS_API_KEY={config.northpass_key}",
            f"IMPARTNER_BASE_URL={url}{BASES['impartner']}",
            f"IMPARTNER_API_KEY={config.impartner_key}",
            f"IMPARTNER_TENANT_ID={config.impartner_tenant}",
            f"What it serves and how to steer it: {url}/",
        )
    )
