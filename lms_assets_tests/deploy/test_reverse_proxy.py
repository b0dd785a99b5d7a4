"""The nginx configuration in `deploy/`: the UI works through it, and no other page can act in it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode

import dagster as dg
import pytest
from playwright.sync_api import expect, sync_playwright
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lms_assets_tests.deploy.proxy import HOST, LOGIN, Proxied, nginx_program, proxied_webserver
from lms_assets_tests.harness.waits import LONGEST_SECONDS

pytestmark = pytest.mark.slow

MUTATION = 'mutation {{ setConcurrencyLimit(concurrencyKey: "{key}", limit: 3) }}'
BASIC = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()
LOGGED_IN = {"Authorization": BASIC}
JSON = {"Content-Type": "application/json"}
FOREIGN = "https://any.example.org"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    if nginx_program() is None or shutil.which("openssl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx or openssl is not installed")
        pytest.skip("nginx or openssl is not installed (apt-get install nginx): the proxy was not tried")
    with proxied_webserver(tmp_path_factory.mktemp("proxy")) as made:
        yield made


def changed(proxied: Proxied, key: str) -> bool:
    """Whether the mutation with this key took effect."""
    config = dg.DagsterInstance.from_config(str(proxied.home))
    with config as instance:
        return key in instance.event_log_storage.get_concurrency_keys()


def as_json(key: str) -> str:
    return json.dumps({"query": MUTATION.format(key=key)})


def test_without_the_proxy_any_page_can_change_things_by_a_get(proxied: Proxied):
    """Why the proxy is there; when this fails, Dagster has changed and the configuration may become simpler."""
    address = f"http://127.0.0.1:{proxied.webserver_port}/graphql?{urlencode({'query': MUTATION.format(key='direct')})}"
    request = urllib.request.Request(address, headers={"Origin": FOREIGN, "Host": "rebound.example.org"})
    with urllib.request.urlopen(request, timeout=LONGEST_SECONDS) as answer:
        assert answer.status == 200
    assert changed(proxied, "direct")


def test_the_uis_own_page_can_change_things(proxied: Proxied):
    headers = {**LOGGED_IN, **JSON, "Origin": proxied.origin}
    reply = proxied.ask("POST", "/graphql", headers, as_json("own"))
    assert (reply.status, changed(proxied, "own")) == (200, True)
    assert proxied.ask("GET", "/", LOGGED_IN).status == 200


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "//graphql", "/%67raphql", "/GraphQL", "/x/../graphql"])
@pytest.mark.parametrize("origin", [None, FOREIGN, "null", "own"])
def test_a_get_never_reaches_graphql(proxied: Proxied, path: str, origin: str | None):
    key = f"get {path} {origin}"
    headers = dict(LOGGED_IN)
    if origin:
        headers["Origin"] = proxied.origin if origin == "own" else origin
    reply = proxied.ask("GET", f"{path}?{urlencode({'query': MUTATION.format(key=key)})}", headers)
    assert (reply.status, changed(proxied, key)) == (403, False)


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("another page", {"Origin": FOREIGN, **JSON}),
        ("a sandboxed frame", {"Origin": "null", **JSON}),
        ("a name that only begins like it", {"Origin": f"https://{HOST}.example.org", **JSON}),
        ("the same host without TLS", {"Origin": f"http://{HOST}", **JSON}),
        ("the same host, another port", {"Origin": f"https://{HOST}", **JSON}),
        ("no origin", JSON),
        ("a form", {"Origin": "own", "Content-Type": "text/plain"}),
        ("no content type", {"Origin": "own"}),
    ],
)
def test_a_post_is_taken_from_the_uis_own_page_and_as_json_only(proxied: Proxied, name: str, headers: dict[str, str]):
    headers = {**LOGGED_IN, **headers}
    if headers.get("Origin") == "own":
        headers["Origin"] = proxied.origin
    query = urlencode({"query": MUTATION.format(key=name)})
    reply = proxied.ask("POST", f"/graphql?{query}", headers, as_json(name))
    assert (reply.status, changed(proxied, name)) == (403, False)


@pytest.mark.parametrize("path", ["/report_asset_materialization/users", "/report_asset_check/users", "/anything"])
def test_every_other_address_takes_posts_from_the_uis_own_page_only(proxied: Proxied, path: str):
    assert proxied.ask("POST", path, {**LOGGED_IN, **JSON, "Origin": FOREIGN}, "{}").status == 403
    assert proxied.ask("DELETE", path, LOGGED_IN).status == 403


@pytest.mark.parametrize("host", ["rebound.example.org", "127.0.0.1", "localhost:3000", f"{HOST}.example.org"])
def test_another_host_name_ends_at_the_door(proxied: Proxied, host: str):
    headers = {**LOGGED_IN, **JSON, "Host": host, "Origin": proxied.origin}
    reply = proxied.ask("POST", "/graphql", headers, as_json(f"host {host}"))
    assert (reply.status, changed(proxied, f"host {host}")) == (421, False)
    assert proxied.ask("GET", "/", {**LOGGED_IN, "Host": host}).status == 421


@pytest.mark.parametrize("login", [None, "Basic " + base64.b64encode(b"operator:wrong").decode()])
def test_nobody_gets_in_without_a_login(proxied: Proxied, login: str | None):
    headers = {"Authorization": login} if login else {}
    assert proxied.ask("GET", "/", headers).status == 401
    own = {**headers, **JSON, "Origin": proxied.origin}
    assert proxied.ask("POST", "/graphql", own, as_json(f"login {login}")).status == 401
    assert not changed(proxied, f"login {login}")


def test_the_ui_cannot_be_shown_inside_another_page(proxied: Proxied):
    headers = proxied.ask("GET", "/", LOGGED_IN).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_live_updates_are_for_the_uis_own_page(proxied: Proxied):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def live(origin: str) -> None:
        with connect(
            f"wss://{HOST}:{proxied.port}/graphql",
            ssl=context,
            address=("127.0.0.1", proxied.port),
            proxy=None,
            origin=origin,  # type: ignore[arg-type]
            additional_headers=LOGGED_IN,
            subprotocols=["graphql-ws"],  # type: ignore[list-item]
        ) as socket:
            socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(socket.recv(LONGEST_SECONDS))["type"] == "connection_ack"

    live(proxied.origin)
    with pytest.raises(InvalidStatus, match="403"):
        live(FOREIGN)


def test_a_browser_shows_the_ui_and_another_page_in_it_cannot_act(proxied: Proxied):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed")
        pytest.skip("Chromium is not installed (apt-get install chromium): no page was opened")
    names = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--no-first-run", names]
        )
        login = {"username": LOGIN[0], "password": LOGIN[1]}
        page = browser.new_context(ignore_https_errors=True, http_credentials=login).new_page()
        page.set_default_timeout(LONGEST_SECONDS * 1000)
        refused: list[str] = []
        page.on("response", lambda reply: refused.append(reply.url) if reply.status in {401, 403, 421} else None)
        page.goto(f"{proxied.origin}/deployment/concurrency")
        expect(page.get_by_text("Pools", exact=False).first).to_be_visible(timeout=LONGEST_SECONDS * 1000)
        assert refused == []
        page.route(f"{FOREIGN}/", lambda route: route.fulfill(body="<p>any page</p>", content_type="text/html"))
        page.goto(f"{FOREIGN}/")
        page.evaluate(
            """async ([ui, query]) => {
                const body = JSON.stringify({query});
                const headers = {"Content-Type": "application/json"};
                const ask = (path, more) => fetch(ui + path, {credentials: "include", ...more}).catch(() => null);
                await ask("/graphql", {method: "POST", body, headers});
                await ask("/graphql?query=" + encodeURIComponent(query), {method: "POST", body, mode: "no-cors"});
                await ask("/graphql?query=" + encodeURIComponent(query), {mode: "no-cors"});
            }""",
            [proxied.origin, MUTATION.format(key="page")],
        )
        page.goto(f"{proxied.origin}/graphql?{urlencode({'query': MUTATION.format(key='link')})}")
        assert not changed(proxied, "page")
        assert not changed(proxied, "link")
        browser.close()
