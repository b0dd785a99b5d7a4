"""The last step before a request leaves: connect first, then wait for a slot, then send, and never hang.

A TLS handshake takes several round trips. Waiting for the slot before it would let requests arrive later than
the limiter believes, so the slot is taken by the connection itself once it stands.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from lms_assets.vendors.transport.rate_limit import RateLimiter


@dataclass(slots=True)
class Exchange:
    """One attempt to get one answer."""

    seconds: float
    sent: bool = False
    cut: bool = False
    _timer: threading.Timer | None = field(default=None, repr=False)
    _sent_at: float = field(default=0.0, repr=False)

    def start_clock(self, connected: socket.socket | None) -> None:
        """From now on the whole answer has `seconds` to arrive."""
        self._sent_at = time.monotonic()
        if connected is None:
            return
        self._timer = threading.Timer(self.seconds, self._cut, [connected])
        self._timer.daemon = True
        self._timer.start()

    @property
    def passed(self) -> float:
        """Seconds since the request was sent."""
        return time.monotonic() - self._sent_at

    def end(self) -> None:
        """The answer was read, or given up."""
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self, connected: socket.socket) -> None:
        self.cut = True
        with contextlib.suppress(OSError):
            # Not the TLS object's own method: that one takes the session away under the reading thread.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)


class PacedSender:
    """Lets the requests of one client out, paced; counts those that left."""

    def __init__(self, limiter: RateLimiter, longest_wait: float) -> None:
        self._limiter = limiter
        self._longest_wait = longest_wait
        self._here = threading.local()
        self._lock = threading.Lock()
        self.calls = 0

    @contextlib.contextmanager
    def exchange(self, seconds: float) -> Iterator[Exchange]:
        """What this thread sends inside belongs to the exchange given."""
        current = Exchange(seconds)
        self._here.exchange = current
        try:
            yield current
        finally:
            current.end()
            self._here.exchange = None

    def refused(self) -> None:
        """The vendor refused a request for there being too many."""
        self._limiter.refused()

    def pass_through(self, connected: socket.socket | None, send: Callable[[], None]) -> None:
        """Wait for a slot, then send."""
        current: Exchange = self._here.exchange
        with self._limiter.slot(self._longest_wait):
            with self._lock:
                self.calls += 1
            current.start_clock(connected)
            current.sent = True
            send()


class PacedAdapter(HTTPAdapter):
    """requests' adapter over connections that wait for the rate limit. It never retries and never follows."""

    def __init__(self, sender: PacedSender, connections: int) -> None:
        self._pools = _paced_pools(sender)
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As requests does, with our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """As requests does, with our pools."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _paced_pools(sender: PacedSender) -> dict[str, type[HTTPConnectionPool]]:
    class PacedHttp(HTTPConnection):
        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is None:
                self.connect()
            send = super().request
            sender.pass_through(self.sock, lambda: send(*args, **kwargs))

    class PacedHttps(HTTPSConnection):
        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is None:
                self.connect()
            send = super().request
            sender.pass_through(self.sock, lambda: send(*args, **kwargs))

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PacedHttp

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = PacedHttps

    return {"http": PlainPool, "https": TlsPool}
