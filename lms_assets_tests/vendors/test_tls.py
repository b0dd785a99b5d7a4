"""A server that cannot prove who it is does not get the key."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import UntrustedServer
from lms_assets_tests.harness.limits import QUICK
from lms_assets_tests.vendors.scripted import NORTHPASS_KEY, Reply, ScriptedServer, resource

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that nobody vouches for, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    paths = directory / "certificate.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[ScriptedServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    server = ScriptedServer(context)
    server.answer = lambda seen: Reply({"data": resource("p1")})
    yield server
    server.close()


def client(server: ScriptedServer) -> NorthpassClient:
    return NorthpassClient(f"https://localhost:{server.port}/v2", NORTHPASS_KEY, 100_000, limits=QUICK)


def test_an_unknown_certificate_is_refused_at_once_and_the_key_stays_here(
    tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    refused = client(tls_server)
    with pytest.raises(UntrustedServer, match="certificate cannot be verified"):
        refused.person("p1")
    assert tls_server.seen == []
    assert refused.http.retries == 0


def test_a_certificate_that_the_environment_vouches_for_is_accepted(
    tls_server: ScriptedServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    assert client(tls_server).person("p1") == resource("p1")
