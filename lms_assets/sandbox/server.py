"""Serves the sandbox with uvicorn: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lms_assets.sandbox.app import app_of
from lms_assets.sandbox.build import build_world
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.faults import FaultBoard
from lms_assets.sandbox.gate import BASES
from lms_assets.sandbox.mutations import mutate
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.world import World

_START_SECONDS = 10.0


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
    def world(self) -> World:
        """The data; change it through `mutate`."""
        return self.sandbox.world

    @property
    def faults(self) -> FaultBoard:
        """The fault switchboard."""
        return self.sandbox.faults

    def mutate(self, action: str, **arguments: Any) -> str | int:
        """Do an action of `mutations.ACTIONS`; returns the id of what was made or changed."""
        return mutate(self.sandbox, action, **arguments)

    def stats(self) -> dict[str, Any]:
        """The counters, as `GET /sandbox/stats` answers them."""
        return self.sandbox.summary()

    def calls(self) -> list[dict[str, Any]]:
        """The latest calls, oldest first."""
        return list(self.sandbox.stats.latest)

    def reset_stats(self) -> None:
        """Start counting anew."""
        self.sandbox.reset_stats()


def _server(sandbox: Sandbox) -> uvicorn.Server:
    settings = uvicorn.Config(
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
    return uvicorn.Server(settings)


@contextmanager
def running_sandbox(config: SandboxConfig | None = None, *, port: int = 0) -> Iterator[SandboxHandle]:
    """Serve a newly built world on loopback in a thread of this process, on a free port unless one is given."""
    settings = config or SandboxConfig()
    sandbox = Sandbox(settings, build_world(settings))
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    server = _server(sandbox)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield SandboxHandle(f"http://127.0.0.1:{listener.getsockname()[1]}", sandbox)
    finally:
        server.should_exit = True
        thread.join(timeout=_START_SECONDS)
        listener.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError(f"the sandbox did not start within {_START_SECONDS:.0f} s")
        time.sleep(0.005)


def serve(config: SandboxConfig, host: str = "127.0.0.1", port: int = 8765) -> None:
    """Serve in the foreground until interrupted. Raises OSError when the port is taken."""
    listener = socket.create_server((host, port), backlog=2048)
    sandbox = Sandbox(config, build_world(config))
    # A collection over a whole world takes tens of milliseconds, in which requests would be stamped too late.
    gc.collect()
    gc.freeze()
    _server(sandbox).run([listener])
