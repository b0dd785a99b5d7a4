"""A real HTTP receiver on loopback: keeps what it was sent, and can be out of order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What came in: JSON bodies of POSTs, paths of GETs. `dead` answers 503 to everything."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.posts: list[dict[str, Any]] = []
        self.gets: list[str] = []
        self.dead = False

    @property
    def alert_url(self) -> str:
        """As Apprise writes a plain JSON webhook."""
        return f"json://127.0.0.1:{self.port}/alerts"

    @property
    def heartbeat_url(self) -> str:
        """With a token in it, as such services have."""
        return f"http://127.0.0.1:{self.port}/beat/s3cret-token"

    @property
    def titles(self) -> list[str]:
        """Titles of all alerts, in the order they came."""
        return [post["title"] for post in self.posts]

    @property
    def texts(self) -> str:
        """Everything that was told, for looking for what must not be in it."""
        return json.dumps(self.posts)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver in a thread of its own, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not receiver.dead:
                receiver.posts.append(json.loads(body))
            self._answer()

        def do_GET(self) -> None:
            if not receiver.dead:
                receiver.gets.append(self.path)
            self._answer()

        def _answer(self) -> None:
            self.send_response(503 if receiver.dead else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
