"""Preflight's look at what leaves for people: alerts, mail and reports; and at secrets too weak to keep out of logs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

import apprise

from lms_assets.automation.alerting.alerts import notify
from lms_assets.console.installation.preflight.lines import Line, NotAsNeeded, ok, problem, warning
from lms_assets.domain.operations.incident import Message
from lms_assets.domain.wording import number_of
from lms_assets.reports.delivery.smtp import MailServerUnavailable, SmtpMailer, SmtpServer
from lms_assets.settings import Settings

TEST = "A test of lms-assets preflight: nothing is wrong, and nothing is to be done."


def alerts(settings: Settings) -> Iterator[Line]:
    """Each is a URL that Apprise understands; only `--send-test` shows whether it arrives."""
    if not settings.alert_urls:
        yield warning("alerts", "LMS_ALERT_URLS is not set: alerts are only logged")
        return
    # The URLs hold secrets, so they are named by their place.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    strange = [str(place) for place, url in enumerate(settings.alert_urls, 1) if not apprise.Apprise().add(url)]
    if strange:
        raise NotAsNeeded(f"LMS_ALERT_URLS: no. {', '.join(strange)} is no Apprise URL, so nobody would be told")
    yield ok("alerts", f"{number_of(len(settings.alert_urls), 'channel')}; --send-test sends to each")


def mail(settings: Settings) -> Iterator[Line]:
    """The mail server answers, encrypts and logs in; nothing is sent."""
    if settings.smtp_url is None:
        yield ok("mail", f"LMS_SMTP_URL is not set: reports are written to {settings.reports_dir}")
        return
    try:
        with SmtpMailer(SmtpServer.from_url(settings.smtp_url), attempts=1) as mailer:
            mailer.probe()
    except MailServerUnavailable as error:
        raise NotAsNeeded(f"{error}. Check LMS_SMTP_URL, and that this machine may reach that port") from None
    yield ok(
        "mail", f"{SmtpServer.from_url(settings.smtp_url)} answers and logs in; --send-test sends to LMS_MAIL_FROM"
    )


def reports_folder(settings: Settings) -> Iterator[Line]:
    """Where reports are files, their folder can be written or made."""
    if settings.smtp_url is not None:
        return
    folder = settings.reports_dir.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise NotAsNeeded(f"{there} cannot be written ({error.strerror}): change it or LMS_REPORTS_DIR") from None
    yield ok("reports", f"{folder} {'can be written' if there == folder else 'can be made'}")


def secrets(settings: Settings) -> Iterator[Line]:
    """Each is long enough to be told from ordinary words."""
    for name in settings.weak_secrets:
        note = "its secret is so short or common a text that logs cannot be kept free of it; choose a longer one"
        yield warning(name, note)


def test_messages(settings: Settings) -> Iterator[Line]:
    """Send one message to each alert channel and one mail to its own sender."""
    for place, url in enumerate(settings.alert_urls, 1):
        name = f"alert channel {place}"
        if notify(url, Message("lms-assets: a test", TEST, good=True)):
            yield ok(name, "took the test message; look whether it arrived")
        else:
            yield problem(name, "did not take the test message: check its token and that this machine may reach it")
    if settings.smtp_url is not None and settings.mail_from is not None:
        yield _test_mail(settings.smtp_url, settings.mail_from)


def _test_mail(smtp_url: str, address: str) -> Line:
    message = EmailMessage(policy=SMTP)
    message["From"] = message["To"] = address
    message["Subject"] = "lms-assets: a test"
    # Servers refuse a mail without them, or call it unwanted.
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
    message.set_content(TEST)
    try:
        with SmtpMailer(SmtpServer.from_url(smtp_url), attempts=1) as mailer:
            result = mailer.send(
                message, sender=address, recipient=address, hand_over=lambda: True, take_back=lambda: None
            )
    except MailServerUnavailable as error:
        return problem("test mail", f"{error}. Check LMS_SMTP_URL")
    if result.outcome == "sent":
        return ok("test mail", "the server took it for LMS_MAIL_FROM; look whether it arrived")
    return problem("test mail", f"{result.outcome}: {result.reason}. May this login send as LMS_MAIL_FROM?")
