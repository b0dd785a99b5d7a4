"""The way to the mail server is encrypted and checked, and without that neither password nor mail leaves."""

from __future__ import annotations

import socket
import ssl
import subprocess
from datetime import UTC, datetime

import pytest

from lms_assets.reports.delivery.message import build_message
from lms_assets.reports.delivery.smtp import MailServerUnavailable, SmtpMailer, SmtpServer
from lms_assets.reports.rendering.render import Rendered
from lms_assets_tests.reports.mail_server import Mailbox, running_mail_server

MESSAGE = build_message(
    Rendered("s", "<p>h</p>", "t", ()),
    to="olga@example.com",
    name="",
    mail_from="reports@example.com",
    message_key="k",
    now=datetime(2026, 11, 23, 8, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody trusts unless told to, and the server's context with it."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return cert, server


def send(url, *, trusting=None):
    context = ssl.create_default_context(cafile=trusting)
    handed_over = []
    with SmtpMailer(
        SmtpServer.from_url(url), attempts=2, wait_seconds=0.01, timeout_seconds=10, context=context
    ) as mailer:
        result = mailer.send(
            MESSAGE,
            sender="reports@example.com",
            recipient="olga@example.com",
            hand_over=lambda: handed_over.append(1) is None,
            take_back=lambda: None,
        )
    return result, handed_over


@pytest.mark.parametrize("implicit", [False, True])
def test_mail_goes_encrypted_to_a_server_whose_certificate_is_trusted(certificate, implicit):
    cert, tls = certificate
    mailbox = Mailbox()
    with running_mail_server(mailbox, tls=tls, implicit=implicit) as address:
        url = f"smtps://{address}" if implicit else f"smtp://reports:s3cret@{address}"
        result, handed_over = send(url, trusting=cert)

    assert (result.outcome, len(handed_over)) == ("sent", 1)
    assert mailbox.received == {"olga@example.com": 1}


@pytest.mark.parametrize("implicit", [False, True])
def test_nothing_goes_to_a_server_whose_certificate_is_not_trusted(certificate, implicit):
    mailbox = Mailbox()
    with running_mail_server(mailbox, tls=certificate[1], implicit=implicit) as address:
        scheme = "smtps" if implicit else "smtp"
        with pytest.raises(MailServerUnavailable, match="certificate"):
            send(f"{scheme}://reports:s3cret@{address}")

    assert not mailbox.messages
    assert not mailbox.tries


def test_a_wrong_password_is_told_without_the_password_and_not_tried_again(certificate):
    mailbox = Mailbox()
    with (
        running_mail_server(mailbox, tls=certificate[1]) as address,
        pytest.raises(MailServerUnavailable, match="user or password") as refused,
    ):
        send(f"smtp://reports:wr0ng%40word@{address}", trusting=certificate[0])

    assert "wr0ng" not in str(refused.value)


def test_a_server_elsewhere_without_encryption_gets_neither_password_nor_mail(monkeypatch):
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: found("127.0.0.1", *rest, **more))
    mailbox = Mailbox()
    with running_mail_server(mailbox) as address:
        url = f"smtp://reports:s3cret@mail.example.com:{address.partition(':')[2]}"
        with pytest.raises(MailServerUnavailable, match="STARTTLS"):
            send(url)

    assert not mailbox.tries


def test_the_server_is_read_from_its_url_and_never_shows_its_password():
    server = SmtpServer.from_url("smtp://me%40example.com:p%40ss@mail.example.com")

    assert (server.host, server.port, server.tls, server.user) == ("mail.example.com", 587, False, "me@example.com")
    assert "p@ss" not in repr(server)
    assert SmtpServer.from_url("smtps://mail.example.com").port == 465


@pytest.mark.parametrize("url", ["http://mail.example.com", "smtp://", "mail.example.com"])
def test_what_is_no_mail_server_is_refused_without_being_repeated(url):
    with pytest.raises(ValueError, match="LMS_SMTP_URL") as refused:
        SmtpServer.from_url(url)

    assert url == "smtp://" or url not in str(refused.value)
