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

WATCH = "answers in time"
"""The name of the thread that ends late exchanges."""


@dataclass(slots=True, eq=False)
class Exchange:
    """One attempt to get one answer, which has `seconds` to arrive as a whole."""

    seconds: float
    sent: bool = False
    cut: bool = False
    connected: socket.socket | None = field(default=None, repr=False)
    sent_at: float = field(default=0.0, repr=False)

    @property
    def passed(self) -> float:
        """Seconds since the request was sent."""
        return time.monotonic() - self.sent_at

    @property
    def ends_at(self) -> float:
        """When the time is over, on the monotonic clock."""
        return self.sent_at + self.seconds

    def cut_off(self) -> None:
        """Cut the connection: whoever reads the answer gets no more of it."""
        self.cut = True
        # TLS within the TLS of a proxy is no socket, but has one.
        connected = getattr(self.connected, "socket", self.connected)
        if connected is not None:
            with contextlib.suppress(OSError):
                # Not the TLS object's own method: that one takes the session away under the reading thread.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


class Watch:
    """Ends the exchanges that take too long. One thread for all: one for each would cost as much as the sending."""

    def __init__(self) -> None:
        self._under_way: dict[object, Exchange] = {}
        """By connection: one that was read to its end may carry the next exchange before the last one is ended here."""
        self._changed = threading.Condition()
        self._looks_at: float | None = None
        """When the thread looks next; None while there is none."""

    def begin(self, exchange: Exchange) -> None:
        """The exchange is sent now."""
        with self._changed:
            self._under_way[exchange.connected] = exchange
            if self._looks_at is None:
                # It waits for the lock held here. Where no thread can be started, the next exchange tries again.
                threading.Thread(target=self._watch, name=WATCH, daemon=True).start()
                self._looks_at = 0.0
            elif exchange.ends_at < self._looks_at:
                self._changed.notify()

    def end(self, exchange: Exchange) -> None:
        """It is over, or never began."""
        with self._changed:
            if self._under_way.get(exchange.connected) is exchange:
                del self._under_way[exchange.connected]

    def look_now(self) -> None:
        """Ends the thread when nothing is under way."""
        with self._changed:
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._under_way:
                now = time.monotonic()
                for late in [each for each in self._under_way.values() if each.ends_at <= now]:
                    del self._under_way[late.connected]
                    late.cut_off()
                self._looks_at = min((each.ends_at for each in self._under_way.values()), default=now)
                self._changed.wait(self._looks_at - now)
            self._looks_at = None


class PacedSender:
    """Lets the requests of one client out, paced; counts those that left."""

    def __init__(self, limiter: RateLimiter, longest_wait: float) -> None:
        self._limiter = limiter
        self._longest_wait = longest_wait
        self._here = threading.local()
        self._lock = threading.Lock()
        self._watch = Watch()
        self.calls = 0

    @contextlib.contextmanager
    def exchange(self, seconds: float) -> Iterator[Exchange]:
        """One attempt of this thread, which sends inside: gives the exchange, which knows whether and when it was sent.

        Args:
            seconds: within which the whole answer must have arrived, counted from the sending. Then the connection is
                cut: reading fails, and `cut` says that this was the reason.
        """
        current = Exchange(seconds)
        self._here.exchange = current
        try:
            yield current
        finally:
            self._watch.end(current)
            self._here.exchange = None

    def close(self) -> None:
        """Nothing more is sent."""
        self._watch.look_now()

    def refused(self) -> None:
        """The vendor refused a request for there being too many."""
        self._limiter.refused()

    def pass_through(self, connected: socket.socket | None, send: Callable[[], None]) -> None:
        """Wait for a slot, then send for the exchange of this thread.

        Raises:
            NoFreeSlot: none was free within the sender's longest wait; nothing was sent.
        """
        current: Exchange = self._here.exchange
        with self._limiter.slot(self._longest_wait):
            with self._lock:
                self.calls += 1
            current.connected, current.sent_at, current.sent = connected, time.monotonic(), True
            self._watch.begin(current)
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
