"""Handing messages to a mail server over SMTP: encrypted, paced, retried where that is safe, never twice.

The moment that matters is the one at which the content leaves: just before it the caller is asked (`hand_over`), and
from then on only the server's answer says whether the message was taken. A lost answer is "unknown", never retried.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Literal
from urllib.parse import unquote, urlsplit

import stamina
from pyrate_limiter import Duration, Limiter, Rate

TIMEOUT_SECONDS = 60.0
"""RFC 5321 4.5.3.2 asks for minutes at some places; a report that waits longer is tried again next run."""
ATTEMPTS = 4

_LEADING_DOT = re.compile(rb"(?m)^\.")

Outcome = Literal["sent", "refused", "unknown", "not sent", "elsewhere"]


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one message.

    Attributes:
        outcome: `sent`; `refused` for good by the server; `unknown`: it may have been taken; `not sent`: certainly
            not, and trying later may help; `elsewhere`: another process delivers it.
        reason: why; empty when sent. `said`: the server's own words, which may repeat an address.
    """

    outcome: Outcome
    reason: str = ""
    said: str = ""


class MailServerUnavailable(Exception):
    """No message can be sent at all: server unreachable, no encryption, or the login was refused."""


class _TryAgain(Exception):
    """Nothing was taken, and the server may take it in a while."""


class _NoConnection(_TryAgain):
    """The server cannot be reached, or breaks off before any message is spoken of."""


@dataclass(frozen=True)
class SmtpServer:
    """Where and how to reach a mail server; made from LMS_SMTP_URL. The password stays out of `repr`."""

    host: str
    port: int
    tls: bool
    user: str | None
    _password: str | None

    def __repr__(self) -> str:
        return f"{'smtps' if self.tls else 'smtp'}://{self.host}:{self.port}"

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """Read `smtp://user:password@host:587` (STARTTLS) or `smtps://...:465` (TLS from the first byte).

        Raises:
            ValueError: another scheme or no host; the text never repeats the URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("LMS_SMTP_URL must look like smtp://user:password@host:587 or smtps://...:465")
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if tls else 587),
            tls=tls,
            user=unquote(parts.username) if parts.username else None,
            _password=unquote(parts.password) if parts.password else None,
        )

    def connect(self, context: ssl.SSLContext, timeout: float) -> smtplib.SMTP:
        """Connect, encrypt and log in.

        Without TLS from the first byte STARTTLS is a must; only a server on this machine may go without.

        Raises:
            _NoConnection: unreachable, cut off, or busy.
            MailServerUnavailable: a wrong certificate, no encryption, or a refused login.
        """
        try:
            server = self._open(context, timeout)
        except ssl.SSLCertVerificationError as error:
            raise MailServerUnavailable(f"{self}: its certificate is not valid: {error.verify_message}") from None
        except (OSError, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError) as error:
            raise _NoConnection(f"{self} cannot be reached: {type(error).__name__}") from None
        try:
            self._secure_and_log_in(server, context)
        except BaseException:
            server.close()
            raise
        return server

    def _open(self, context: ssl.SSLContext, timeout: float) -> smtplib.SMTP:
        if self.tls:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=timeout, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=timeout)

    def _secure_and_log_in(self, server: smtplib.SMTP, context: ssl.SSLContext) -> None:
        try:
            server.ehlo_or_helo_if_needed()
            if not self.tls and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            elif not self.tls and not _on_this_machine(self.host):
                raise MailServerUnavailable(f"{self} offers no STARTTLS; use smtps:// or another server")
            if self.user is not None:
                server.login(self.user, self._password or "")
        except ssl.SSLCertVerificationError as error:
            raise MailServerUnavailable(f"{self}: its certificate is not valid: {error.verify_message}") from None
        except smtplib.SMTPAuthenticationError as error:
            if 400 <= error.smtp_code < 500:
                raise _NoConnection(f"{self} does not log in now ({error.smtp_code})") from None
            raise MailServerUnavailable(f"{self} refused user or password ({error.smtp_code})") from None
        except smtplib.SMTPNotSupportedError:
            raise MailServerUnavailable(f"{self} offers no login; take user and password out of LMS_SMTP_URL") from None
        except (OSError, smtplib.SMTPException) as error:
            raise _NoConnection(f"{self} broke off: {type(error).__name__}") from None


class SmtpMailer:
    """Sends messages over one connection; a context manager, for one thread.

    Args:
        server: where to.
        messages_per_minute: most messages handed over in any one minute.
        attempts: how often one message is tried; waits grow from `wait_seconds` with jitter, at most 30 seconds.
        context: TLS settings; default: the system's authorities, host name checked.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        messages_per_minute: int = 60,
        attempts: int = ATTEMPTS,
        wait_seconds: float = 2.0,
        timeout_seconds: float = TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._limiter = Limiter(Rate(messages_per_minute, Duration.MINUTE))
        self._attempts = attempts
        self._wait_seconds = wait_seconds
        self._timeout_seconds = timeout_seconds
        self._context = context or ssl.create_default_context()
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> SmtpMailer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None and kind is None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._connection.quit()
        self._drop()
        self._limiter.close()

    def send(
        self,
        message: EmailMessage,
        *,
        sender: str,
        recipient: str,
        hand_over: Callable[[], bool],
        take_back: Callable[[], None],
    ) -> SendResult:
        """Send one message to one recipient.

        Args:
            message: with CRLF policy; its headers are sent as they are.
            sender, recipient: envelope addresses, ASCII.
            hand_over: called when only the closing dot is missing; False stops, and nothing is sent.
            take_back: called when the server then says that it did not take the content.

        Raises:
            MailServerUnavailable: no message at all can be sent now; nothing of this one was.
        """
        content = message.as_bytes()
        try:
            for attempt in stamina.retry_context(
                on=_TryAgain,
                attempts=self._attempts,
                timeout=None,
                wait_initial=self._wait_seconds,
                wait_max=30.0,
                wait_jitter=self._wait_seconds / 2,
            ):
                with attempt:
                    self._limiter.try_acquire("report mail")
                    transaction = _Transaction(self._connected(), hand_over, take_back)
                    result = transaction.run(content, sender, recipient)
        except _NoConnection as error:
            raise MailServerUnavailable(str(error)) from None
        except _TryAgain as error:
            self._drop()
            return SendResult("not sent", str(error))
        if result.outcome in {"unknown", "elsewhere"}:
            self._drop()
        return result

    def probe(self) -> None:
        """Connect, encrypt and log in; nothing is sent.

        Raises:
            MailServerUnavailable: no message could be sent now.
        """
        try:
            self._connected()
        except _NoConnection as error:
            raise MailServerUnavailable(str(error)) from None

    def _connected(self) -> smtplib.SMTP:
        """The open connection if it still lives, else a new one."""
        if self._connection is not None:
            try:
                if self._connection.rset()[0] == 250:
                    return self._connection
            except (OSError, smtplib.SMTPException):
                pass
            self._drop()
        self._connection = self._server.connect(self._context, self._timeout_seconds)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Transaction:
    """One message's mail transaction (RFC 5321, 3.3).

    A server takes a message only when it has seen the line with a single dot, so the caller is asked right before it.
    """

    def __init__(self, server: smtplib.SMTP, hand_over: Callable[[], bool], take_back: Callable[[], None]) -> None:
        self._server, self._hand_over, self._take_back = server, hand_over, take_back

    def run(self, content: bytes, sender: str, recipient: str) -> SendResult:
        """Until the message is complete, everything may be tried again; afterwards only what the server refused.

        Raises:
            _TryAgain: nothing was taken.
        """
        try:
            refused = self._begin(sender, recipient, len(content))
            if refused is not None:
                return refused
            self._server.send(_LEADING_DOT.sub(b"..", content))
        except (OSError, smtplib.SMTPException) as error:
            raise _TryAgain(f"the connection was lost before anything was taken: {type(error).__name__}") from None
        if not self._hand_over():
            return SendResult("elsewhere", "another process is sending it")
        try:
            self._server.send(b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n")
            code, said = self._server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return SendResult("unknown", f"the mail server's answer was lost: {type(error).__name__}")
        if 200 <= code < 300:
            return SendResult("sent")
        if not 400 <= code < 600:
            return SendResult("unknown", f"the mail server's answer {code} cannot be understood")
        self._take_back()
        return _refused(code, said)

    def _begin(self, sender: str, recipient: str, size: int) -> SendResult | None:
        options = [f"size={size}"] if self._server.has_extn("size") else []
        code, said = self._server.mail(sender, options)
        if code == 250:
            code, said = self._server.rcpt(recipient)
        if code in {250, 251}:
            code, said = self._server.docmd("data")
        return None if code == 354 else _refused(code, said)


def _refused(code: int, said: bytes) -> SendResult:
    if not 500 <= code < 600:
        raise _TryAgain(f"the mail server said {code}")
    return SendResult("refused", f"the mail server said {code}", said.decode("utf-8", "replace")[:300])


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
