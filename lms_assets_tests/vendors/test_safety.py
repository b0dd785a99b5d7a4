"""The key goes to the configured address and nowhere else, and into no text."""

from __future__ import annotations

import gc
import logging
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import UnexpectedAnswer, UnsafeLink, VendorError
from lms_assets.vendors.transport.origin import Origin
from lms_assets_tests.vendors.scripted import (
    IMPARTNER_KEY,
    NORTHPASS_KEY,
    Raw,
    Reply,
    ScriptedServer,
    impartner,
    northpass,
    resource,
    scripted_server,
)


def _next(link: str) -> Reply:
    return Reply({"data": [resource(1)], "links": {"next": link}})


def test_a_next_link_to_another_host_is_refused_and_that_host_never_asked(server: ScriptedServer) -> None:
    with scripted_server() as thief:
        server.answer = lambda seen: _next(f"{thief.url}/v2/people?page=2")
        listing = northpass(server).people()
        with pytest.raises(UnsafeLink, match="another scheme, host or port"):
            list(listing)
        assert thief.seen == []
    assert not listing.complete


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.1:{port}/v2/people?page=2",
        "http://localhost:{port}/v2/people?page=2",
        "http://127.0.0.1:{port}@evil.example.com/v2/people",
        "http://evil.example.com\\@127.0.0.1:{port}/v2/people",
        "http://user:pass@127.0.0.1:{port}/v2/people",
        "http://127.0.0.1:{port}/other/people?page=2",
        "http://127.0.0.1:{port}/v2/../admin",
        "http://127.0.0.1:{port}/v2/%2e%2e/admin",
        "http://127.0.0.1:{port}/v2evil/people",
        "//evil.example.com/v2/people",
        "file:///etc/passwd",
        "http://[::1/v2/people",
        "http://127.0.0.1:{port}/v2/people?page=2 \r\nX-Evil: 1",
    ],
)
def test_a_next_link_that_leaves_the_base_address_is_refused(server: ScriptedServer, link: str) -> None:
    server.answer = lambda seen: _next(link.format(port=server.port))
    with pytest.raises(UnsafeLink):
        list(northpass(server).people())
    assert len(server.seen) == 1


def test_a_relative_next_link_stays_at_the_base_address(server: ScriptedServer) -> None:
    server.answer = lambda seen: _next("/v2/people?page=2") if seen.number == 1 else Reply({"data": [resource(2)]})
    assert len(list(northpass(server).people())) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused_and_not_followed(server: ScriptedServer, status: int) -> None:
    with scripted_server() as thief:
        server.answer = lambda seen: Reply({}, status, {"Location": f"{thief.url}/v2/people/p1"})
        with pytest.raises(UnsafeLink, match="redirects"):
            northpass(server).person("p1")
        assert thief.seen == []


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example.com/v2",
        "http://127.0.0.1.example.com/v2",
        "https://user:pass@api.example.com/v2",
        "https://api.example.com/v2?key=1",
        "ftp://api.example.com",
        "api.example.com/v2",
        "",
    ],
)
def test_an_unsafe_base_address_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError) as caught:
        NorthpassClient(base_url, NORTHPASS_KEY)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000/v2/", "http://localhost/v2", "http://[::1]:9/v2"])
def test_loopback_addresses_may_be_plain_http(base_url: str) -> None:
    assert Origin.of(base_url).path == "/v2"


@pytest.mark.parametrize("key", ["", "two words", "key\n", "kéy", "\x00"])
def test_a_key_that_is_no_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError) as caught:
        NorthpassClient("https://api.example.com/v2", key)
    assert not key.strip() or key not in str(caught.value)


def test_ids_cannot_change_the_path(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"data": resource("x")})
    client = northpass(server)
    client.person("a/b?x=1#y")
    assert server.seen[0].path == "/v2/people/a%2Fb%3Fx%3D1%23y"
    for impossible in ("", ".", "..", "../../admin", "..\\admin", "a\nb"):
        with pytest.raises(VendorError):
            client.person(impossible)
    assert len(server.seen) == 1


def test_the_environment_adds_no_credentials(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hidden\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        server.answer = lambda seen: Reply({"data": resource("p1")}, headers={"Set-Cookie": "a=b"})
        client = northpass(server)
        client.person("p1")
        client.person("p1")
        assert proxy.seen == []
    headers = server.seen[1].headers
    assert "Authorization" not in headers
    assert "Cookie" not in headers
    assert headers["X-Api-Key"] == NORTHPASS_KEY
    assert headers["Accept"] == "application/json"


def test_a_proxy_is_used_without_the_user_in_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hidden@proxy.example.com:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert Origin.of("https://api.example.com/v2").proxies()["https"] == "http://proxy.example.com:3128"


def test_the_certificate_bundle_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/company.pem")
    client = NorthpassClient("https://api.example.com/v2", NORTHPASS_KEY)
    assert client.http._verify == "/etc/company.pem"


def test_keys_and_people_are_in_no_text_that_a_client_gives(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"key {NORTHPASS_KEY} {IMPARTNER_KEY} of ann.example@example.com at https://example.com/?k=1"
    texts: list[str] = []
    for reply in (
        Reply({"errors": [{"title": said, "detail": said}]}, 401),
        Reply({"errors": [{"title": said}]}, 422),
        Reply({"success": False, "message": said}, 500),
        Reply({"success": False, "message": said, "errors": [{"code": "X", "message": said}]}),
        Reply(said.encode()),
        Reply({"data": said}),
        Raw(said.encode()),
    ):
        server.answer = lambda seen, reply=reply: reply
        for client, ask in ((northpass(server), "northpass"), (impartner(server), "impartner")):
            texts.append(repr(client) + repr(client.http))
            with pytest.raises(VendorError) as caught:
                client.person("p1") if isinstance(client, NorthpassClient) else client.by_ids("User", [1], ["Email"])
            texts += [str(caught.value), repr(caught.value), repr(caught.value.__cause__), ask]
            assert caught.value.__suppress_context__ or caught.value.__context__ is None
    texts += [record.getMessage() + str(record.__dict__) for record in caplog.records]
    everything = "\n".join(texts)
    key_of = {"northpass": NORTHPASS_KEY, "impartner": IMPARTNER_KEY}
    northpass_texts = "\n".join(text for text in texts if "Northpass" in text)
    impartner_texts = "\n".join(text for text in texts if "Impartner" in text)
    assert key_of["northpass"] not in northpass_texts
    assert key_of["impartner"] not in impartner_texts
    assert "ann.example" not in everything
    assert "k=1" not in everything


def test_errors_survive_a_process_boundary() -> None:
    error = UnsafeLink("Northpass", "GET /people", 302, "a problem", "A remedy")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "Northpass, GET /people (HTTP 302): a problem. A remedy"


def test_impartner_sends_key_and_tenant(server: ScriptedServer) -> None:
    server.answer = lambda seen: Reply({"success": True, "data": {"count": 0, "results": []}})
    impartner(server).probe()
    assert server.seen[0].headers["Authorization"] == f"prm-key {IMPARTNER_KEY}"
    assert server.seen[0].headers["X-PRM-TenantId"] == "1"


def test_a_tenant_that_is_no_tenant_is_refused() -> None:
    with pytest.raises(ValueError, match="tenant"):
        ImpartnerClient("https://prm.example.com/api/objects/v1", IMPARTNER_KEY, "1\r\nX: y")


def _peak_of(ask: Callable[[], object]) -> int:
    """How much memory asking takes, in bytes; it must end in a refusal."""
    gc.collect()
    tracemalloc.start()
    try:
        with pytest.raises(UnexpectedAnswer):
            ask()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


TINY = b",".join([b'{"id":1}'] * 600_000)
"""Five megabytes, which would be 140 in memory."""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"data":[' + TINY + b"]}", "more than 500,000 values"),
        (b'{"data":[' + b",".join([b"[]"] * 2_000_000) + b"]}", "more than 500,000 values"),
        (
            b'{"data":[{"id":"1","attributes":{"many":[' + b",".join([b"1.5"] * 2_000_000) + b"]}}]}",
            "more than 500,000",
        ),
    ],
)
def test_tiny_values_without_end_are_refused_before_they_fill_memory(server: ScriptedServer, body: bytes, said: str):
    server.answer = lambda seen: Reply(body)
    assert _peak_of(lambda: list(northpass(server).people())) < 60_000_000
    with pytest.raises(UnexpectedAnswer, match=said):
        list(northpass(server).people())


def test_a_page_with_more_rows_than_asked_for_is_refused(server: ScriptedServer):
    """A server that pages otherwise than it is asked to is not understood, and so proves nothing."""
    server.answer = lambda seen: Reply({"data": [resource(number) for number in range(101)]})
    listing = northpass(server).people()
    with pytest.raises(UnexpectedAnswer, match="101 rows, and 100 were asked for"):
        list(listing)
    assert not listing.complete
    rows = [{"id": number} for number in range(1, 102)]
    server.answer = lambda seen: Reply({"success": True, "data": {"count": 101, "results": rows}})
    with pytest.raises(UnexpectedAnswer, match="101 rows, and 100 were asked for"):
        list(impartner(server).list("Account", ["Name"]))


def test_a_page_of_long_texts_is_taken(server: ScriptedServer):
    """The bound is on values; a course may have a long description."""
    rows = [resource(number, full_description="a, b, {c} " * 1_000) for number in range(100)]
    server.answer = lambda seen: Reply({"data": rows if seen.query["page"] == "1" else []})
    assert len(list(northpass(server).courses())) == 100
