"""A real SMTP server on loopback that keeps what it took, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Mailbox:
    """Keeps every message; `on_rcpt` and `on_data` may answer in the server's place or act (kill, hang up).

    Both get the recipient and how often it was tried, and give an SMTP answer, None for all is well, or `HANG_UP`.
    `on_data` sees the whole message and decides before it is kept; `after_data` is called once it is.
    """

    HANG_UP = "hang up"

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.tries: Counter[str] = Counter()
        self.on_rcpt: Callable[[str, int], str | None] = lambda *_: None
        self.on_data: Callable[[str, int], str | None] = lambda *_: None
        self.after_data: Callable[[str], str | None] = lambda _: None

    @property
    def received(self) -> Counter[str]:
        """How many messages each recipient got."""
        return Counter(recipient for recipient, _ in self.messages)

    def message_to(self, recipient: str) -> EmailMessage:
        """The one message to a recipient, parsed."""
        (content,) = [content for to, content in self.messages if to == recipient]
        parsed = message_from_bytes(content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        self.tries[address] += 1
        answer = self.on_rcpt(address, self.tries[address])
        if answer == self.HANG_UP:
            server.transport.abort()
            return "421 gone"
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        answer = self.on_data(recipient, self.tries[recipient])
        if answer == self.HANG_UP:
            server.transport.abort()
            return "421 gone"
        if answer is None:
            self.messages.append((recipient, envelope.original_content))
            answer = self.after_data(recipient)
            if answer == self.HANG_UP:
                server.transport.abort()
        return answer or "250 OK"


class Accounts:
    """Lets in `reports` with `s3cret` and nobody else."""

    def __call__(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"reports", b"s3cret")
        return AuthResult(success=right, handled=False)


@contextlib.contextmanager
def running_mail_server(
    mailbox: Mailbox, *, tls: ssl.SSLContext | None = None, implicit: bool = False
) -> Iterator[str]:
    """The server's `host:port`. With `tls` it offers STARTTLS and login, or TLS from the first byte if `implicit`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options: dict[str, Any] = {}
    if tls is not None and not implicit:
        options = {"tls_context": tls, "require_starttls": True, "authenticator": Accounts(), "auth_required": True}
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ssl_context=tls if implicit else None, **options)
    controller.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        controller.stop()
