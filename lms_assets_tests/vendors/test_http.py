"""What a client does with answers that are late, broken, refused or missing."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from dataclasses import replace
from unittest import mock

import pytest

from lms_assets.vendors.endpoints import Northpass
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.northpass.pages import one_resource
from lms_assets.vendors.transport.client import Request
from lms_assets.vendors.transport.connection import WATCH, Exchange, Watch
from lms_assets.vendors.transport.errors import (
    AuthenticationFailed,
    RequestRejected,
    Throttled,
    TransientVendorError,
    UnexpectedAnswer,
    UnreadableAnswer,
    VendorUnavailable,
)
from lms_assets_tests.harness.limits import QUICK
from lms_assets_tests.harness.waits import LONGEST_SECONDS, comes_about
from lms_assets_tests.vendors.scripted import NORTHPASS_KEY, Raw, Reply, ScriptedServer, first_then, northpass, resource

FINE = Reply({"data": resource("p1", name="A")})
CUT_OFF = Raw(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"data": ')
HTML = Reply(b"<html>We are down for maintenance</html>", headers={"Content-Type": "text/html"})

PASSING_FAULTS = {
    "429": Reply({}, 429),
    "429 with seconds": Reply({}, 429, {"Retry-After": "7"}),
    "429 with a date": Reply({}, 429, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}),
    "429 with nonsense": Reply({}, 429, {"Retry-After": "soon"}),
    "500": Reply(b"oops", 500),
    "502": Reply(b"<html>bad gateway</html>", 502),
    "503": Reply({}, 503, {"Retry-After": "3"}),
    "reset": Raw(end="reset"),
    "closed": Raw(),
    "garbage instead of a status": Raw(b"\x00\x01\x02 hello\r\n\r\n"),
    "cut off": CUT_OFF,
    "cut off in a chunk": Raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"da'),
    "HTML with status 200": HTML,
    "half of the JSON": Reply(b'{"data": {"id": "p'),
    "not gzip": Reply(b'{"data": {}}', headers={"Content-Encoding": "gzip"}),
    "half of the gzip": Reply(gzip.compress(b'{"data": {}}' * 9)[:20], headers={"Content-Encoding": "gzip"}),
    "no data": Reply({"links": {}}),
    "a list instead of a record": Reply({"data": []}),
    "empty": Reply(b""),
}


@pytest.mark.parametrize("fault", PASSING_FAULTS.values(), ids=PASSING_FAULTS)
def test_a_fault_that_passes_is_not_noticed(server: ScriptedServer, fault: Reply | Raw) -> None:
    server.answer = first_then(fault, then=FINE)
    client = northpass(server)
    assert client.person("p1") == FINE.body["data"]
    assert (client.http.calls, client.http.retries) == (2, 1)


LASTING_FAULTS = {
    "429": (Throttled, 429),
    "500": (VendorUnavailable, 500),
    "503": (VendorUnavailable, 503),
    "reset": (VendorUnavailable, None),
    "closed": (VendorUnavailable, None),
    "cut off": (UnreadableAnswer, None),
    "cut off in a chunk": (UnreadableAnswer, None),
    "HTML with status 200": (UnreadableAnswer, 200),
    "not gzip": (UnreadableAnswer, None),
}


@pytest.mark.parametrize("name", LASTING_FAULTS)
def test_a_fault_that_lasts_is_a_typed_error_after_a_bounded_number_of_attempts(
    server: ScriptedServer, name: str
) -> None:
    server.answer = lambda seen: PASSING_FAULTS[name]
    kind, status = LASTING_FAULTS[name]
    with pytest.raises(TransientVendorError) as caught:
        northpass(server).person("p1")
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert str(caught.value).startswith("Northpass, GET /people/{id}")
    assert len(server.seen) == QUICK.retry.attempts


def test_throttled_calls_are_counted(server: ScriptedServer) -> None:
    server.answer = first_then(Reply({}, 429), Reply({}, 429), then=FINE)
    client = northpass(server)
    client.person("p1")
    assert (client.http.throttled, client.http.calls) == (2, 3)


def test_a_silent_server_is_given_up(server: ScriptedServer) -> None:
    server.answer = lambda seen: Raw(b"HTTP/1.1 200 OK\r\n", end="hold")
    limits = replace(QUICK, read_seconds=0.05)
    with pytest.raises(VendorUnavailable, match="within the time allowed"):
        northpass(server, limits).person("p1")
    # The last request may be read after it was given up.
    assert comes_about(lambda: len(server.seen) == QUICK.retry.attempts)


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"data": '],
    ids=["in the headers", "in the body"],
)
def test_an_answer_that_drips_is_given_up_although_it_never_pauses(server: ScriptedServer, start: bytes) -> None:
    server.answer = lambda seen: Raw(start, end="drip")
    limits = replace(QUICK, answer_seconds=0.1, retry=replace(QUICK.retry, attempts=2))
    with pytest.raises(VendorUnavailable, match="not complete after"):
        northpass(server, limits).person("p1")


def test_an_answer_with_less_time_than_one_before_it_is_given_up_in_its_own(server: ScriptedServer) -> None:
    server.answer = first_then(FINE, then=Raw(b"HTTP/1.1 200 OK\r\nX-Slow: ", end="drip"))
    client = northpass(server, replace(QUICK, answer_seconds=300, retry=replace(QUICK.retry, total_seconds=300)))
    client.person("p1")
    url, less = client.http.origin.address("/people/p1"), replace(QUICK.retry, attempts=1, total_seconds=0.1)
    with pytest.raises(VendorUnavailable, match="not complete after"):
        client.http.call(Northpass.PERSON, Request(url=url), one_resource, retry=less)


def test_one_thread_watches_how_long_all_answers_take_and_ends_with_the_client(server: ScriptedServer) -> None:
    def watching() -> int:
        return sum(thread.name == WATCH and thread not in before for thread in threading.enumerate())

    before = threading.enumerate()
    server.answer = lambda seen: FINE
    # The thread ends by itself, too, when nothing was under way for the time of an answer.
    limits = replace(QUICK, answer_seconds=300, retry=replace(QUICK.retry, total_seconds=300))
    with northpass(server, limits) as client:
        for _ in client.for_each([str(number) for number in range(20)], client.person):
            assert watching() == 1
    assert comes_about(lambda: watching() == 0)


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(LONGEST_SECONDS)
    return ours, theirs


def under_way(watch: Watch, connected: object, seconds: float) -> Exchange:
    exchange = Exchange(seconds, connected=connected, sent_at=time.monotonic())  # type: ignore[arg-type]
    watch.begin(exchange)
    return exchange


def test_late_exchanges_over_a_proxy_by_https_are_cut_off_too() -> None:
    watch, (ours, theirs), (later, other) = Watch(), pair(), pair()
    with ours, theirs, later, other:
        # urllib3's TLS within TLS is no socket, but has one.
        under_way(watch, mock.Mock(socket=ours), 0.01)
        assert theirs.recv(1) == b""
        under_way(watch, later, 0.01)
        assert other.recv(1) == b""


def test_a_late_exchange_leaves_the_next_one_on_its_connection_alone() -> None:
    watch, (shared, theirs), (later, other) = Watch(), pair(), pair()
    with shared, theirs, later, other:
        one = under_way(watch, shared, 300)
        following = under_way(watch, shared, 300)
        one.sent_at -= 300
        under_way(watch, later, 0.01)
        assert other.recv(1) == b""
        assert (one.cut, following.cut) == (False, False)
        watch.end(one)
        following.sent_at -= 300
        under_way(watch, later, 0.01)
        assert theirs.recv(1) == b""


def test_where_no_thread_could_start_the_next_exchange_tries_again() -> None:
    watch, (ours, theirs) = Watch(), pair()
    with ours, theirs:
        none_left = mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("no more threads"))
        with none_left, pytest.raises(RuntimeError):
            under_way(watch, ours, 300)
        under_way(watch, ours, 0.01)
        assert theirs.recv(1) == b""


def test_the_total_time_bounds_the_attempts(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({}, 429, {"Retry-After": "30"})
    bounded = replace(QUICK.retry, retry_after_max=60, total_seconds=5)
    with pytest.raises(Throttled):
        northpass(server, replace(QUICK, retry=bounded)).person("p1")
    assert len(server.seen) == 1


def test_an_answer_beyond_the_size_allowed_is_refused(server: ScriptedServer) -> None:
    bomb = gzip.compress(json.dumps({"data": resource("p1", pad="x" * 3_000_000)}).encode())
    server.answer = lambda seen: Reply(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(UnexpectedAnswer, match="larger than 1 MB"):
        northpass(server, replace(QUICK, answer_bytes=1_000_000)).person("p1")


def test_five_megabytes_in_one_record_are_read(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"data": resource("p1", pad="x" * 5_000_000)})
    record = northpass(server).person("p1")
    assert record is not None
    assert len(record["attributes"]["pad"]) == 5_000_000


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_fails_at_once(server: ScriptedServer, status: int) -> None:
    server.answer = lambda seen: Reply({"errors": [{"title": "Unauthorized"}]}, status)
    with pytest.raises(AuthenticationFailed, match="Check the API key"):
        northpass(server).person("p1")
    assert len(server.seen) == 1


def test_a_single_401_after_good_answers_is_a_hiccup(server: ScriptedServer) -> None:
    server.answer = first_then(FINE, Reply({}, 401), then=FINE)
    client = northpass(server)
    client.person("p1")
    assert client.person("p1") == FINE.body["data"]


def test_a_key_revoked_in_the_middle_fails_after_two_more_attempts(server: ScriptedServer) -> None:
    server.answer = first_then(FINE, then=Reply({}, 401))
    client = northpass(server)
    client.person("p1")
    with pytest.raises(AuthenticationFailed):
        client.person("p1")
    assert len(server.seen) == 4


def test_a_refused_request_is_not_repeated_and_says_what_the_vendor_said(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"errors": [{"title": "Invalid filter", "detail": "for 'Ann Example'"}]}, 422)
    with pytest.raises(RequestRejected, match="Invalid filter") as caught:
        northpass(server).person("p1")
    assert caught.value.status == 422
    assert "Ann" not in str(caught.value)
    assert len(server.seen) == 1


def test_an_address_where_nobody_listens_is_an_error_that_says_so() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        client = NorthpassClient(f"http://127.0.0.1:{reserved.getsockname()[1]}/v2", NORTHPASS_KEY, limits=QUICK)
        with pytest.raises(VendorUnavailable, match="whether this machine can reach it"):
            client.probe()
        assert client.http.calls == 0


def test_connections_are_kept(server: ScriptedServer) -> None:
    ports: set[int] = set()
    handler = server._server.RequestHandlerClass
    plain = handler.setup

    def setup(self: object) -> None:
        plain(self)
        ports.add(self.client_address[1])  # type: ignore[attr-defined]

    handler.setup = setup  # type: ignore[method-assign]
    server.answer = lambda seen: FINE
    client = northpass(server, workers=3)
    for _ in client.for_each([str(number) for number in range(60)], client.person):
        pass
    assert len(server.seen) == 60
    assert len(ports) <= 3
