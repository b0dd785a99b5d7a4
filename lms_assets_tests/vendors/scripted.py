"""A local HTTP server whose answers are a function of the request, and clients that give up within milliseconds."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.client import HttpLimits
from lms_assets_tests.harness.limits import QUICK

NORTHPASS_KEY = "np-secret-key-4711"
IMPARTNER_KEY = "prm-secret-key-0815"


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    number: int
    """1 for the first request of the server, and so on."""
    host: str


@dataclass(frozen=True)
class Reply:
    """An answer: `body` is sent as JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Raw:
    """Bytes written to the connection as they are; then the connection is closed, reset or held open."""

    content: bytes = b""
    end: str = "close"


def resource(number: int | str, **attributes: Any) -> dict[str, Any]:
    return {"id": str(number), "type": "things", "attributes": attributes}


def gone() -> Reply:
    return Reply({"errors": [{"status": "404", "title": "Not found"}]}, 404)


class ScriptedServer:
    """Answers with `answer`; keeps what it saw in `seen`. `url` ends without a path."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Reply | Raw] = lambda seen: Reply({"data": []})
        self.over = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                outer._serve(self)

            do_GET = do_PATCH = do_DELETE = _serve  # noqa: N815  named by http.server

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

            def handle_error(self, *args: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.005), daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        content = handler.rfile.read(length)
        parts = urlsplit(handler.path)
        with self._lock:
            seen = Seen(
                handler.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                dict(handler.headers),
                json.loads(content) if content else None,
                len(self.seen) + 1,
                handler.headers["Host"],
            )
            self.seen.append(seen)
        reply = self.answer(seen)
        if isinstance(reply, Raw):
            self._write_raw(handler, reply)
            return
        body = reply.content()
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        if reply.status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if reply.status != 204:
            handler.wfile.write(body)

    def _write_raw(self, handler: BaseHTTPRequestHandler, reply: Raw) -> None:
        handler.close_connection = True
        handler.wfile.write(reply.content)
        handler.wfile.flush()
        if reply.end == "hold":
            self.over.wait(20)
        if reply.end == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
        if reply.end == "drip":
            while not self.over.wait(0.01):
                handler.wfile.write(b" ")
                handler.wfile.flush()


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    try:
        yield server
    finally:
        server.close()


def northpass(server: ScriptedServer, limits: HttpLimits = QUICK, workers: int = 4) -> NorthpassClient:
    return NorthpassClient(f"{server.url}/v2", NORTHPASS_KEY, 100_000, limits=limits, workers=workers)


def impartner(server: ScriptedServer, limits: HttpLimits = QUICK) -> ImpartnerClient:
    return ImpartnerClient(f"{server.url}/api/objects/v1", IMPARTNER_KEY, "1", 100_000, limits=limits)


def northpass_pages(server: ScriptedServer, pages: list[list[dict[str, Any]]]) -> None:
    """Serve these pages at every list endpoint; a page beyond the last answers 404."""

    def answer(seen: Seen) -> Reply:
        number = int(seen.query.get("page", "1"))
        if number > len(pages):
            return gone()
        links = {"next": f"{server.url}{seen.path}?page={number + 1}&limit=100"} if number < len(pages) else {}
        return Reply({"data": pages[number - 1], "links": links})

    server.answer = answer


def first_then(*first: Reply | Raw, then: Reply | Raw) -> Callable[[Seen], Reply | Raw]:
    """Answer the first requests with these, every later one with `then`."""
    return lambda seen: first[seen.number - 1] if seen.number <= len(first) else then
