"""A rendered report as a mail: text, HTML and inline pictures, with headers that no name can break out of.

Where no mail server is configured it becomes an `.html` and an `.eml` file, readable by their owner only.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path

from lms_assets.reports.delivery.recipients import Addressee
from lms_assets.reports.rendering import formatting as words
from lms_assets.reports.rendering.render import Rendered


class UnusableAddress(ValueError):
    """Nothing can be sent to this address; the message says why without repeating it."""


def ascii_address(address: str) -> str:
    """The address as mail servers take it: its domain in ASCII (IDNA).

    Raises:
        UnusableAddress: no valid address, or letters before the `@` that only few servers take.
    """
    # Here, since every process loads this module and hardly any sends mail.
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(address.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise UnusableAddress("is no valid e-mail address; correct it in the portal") from None
    if checked.ascii_email is None:
        raise UnusableAddress("has letters before the @ that most mail servers refuse; give another address")
    return checked.ascii_email


def sender(mail_from: str) -> Address:
    """The sender, from `reports@example.com` or `Name <reports@example.com>`.

    Raises:
        UnusableAddress: it holds no valid address.
    """
    name, address = parseaddr(mail_from)
    return Address(words.name(name), addr_spec=ascii_address(address))


def message_id(message_key: str, mail_from: str) -> str:
    """The same for every attempt at one message, so that a mailbox can tell that two are one."""
    digest = hashlib.sha256(message_key.encode()).hexdigest()[:32]
    return f"<{digest}.report@{sender(mail_from).domain}>"


def build_message(
    rendered: Rendered, *, to: str, name: str, mail_from: str, message_key: str, now: datetime
) -> EmailMessage:
    """The mail for one recipient.

    Args:
        to: the recipient's address; empty for a message that only becomes a file.
        name: the display name, cleaned here of everything but visible characters.
        message_key: names the message (type, period, recipient).
        now: its date, UTC.

    Raises:
        UnusableAddress: nothing can be sent to or from such an address.
    """
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["Subject"] = words.name(rendered.subject)
    message["From"] = sender(mail_from)
    if to:
        message["To"] = Address(words.name(name), addr_spec=ascii_address(to))
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(message_key, mail_from)
    # RFC 3834: keeps absence notices from being sent back.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    html_part = message.get_payload()[1]  # type: ignore[index]
    assert isinstance(html_part, EmailMessage)
    for image in rendered.images:
        html_part.add_related(
            image.png,
            maintype="image",
            subtype="png",
            cid=f"<{image.cid}>",
            filename=f"{image.cid.partition('@')[0]}.png",
            disposition="inline",
        )
    for page in rendered.attachments:
        message.add_attachment(page.html.encode(), maintype="text", subtype="html", filename=page.filename)
    return message


def write_files(folder: Path, addressee: Addressee, rendered: Rendered, message: EmailMessage) -> tuple[Path, Path]:
    """Write both files under `folder/<period>/` and give their paths; files of the same name are replaced.

    The folder can be entered, and the files read, only by the user who runs this: they hold names of people.

    Raises:
        OSError: the folder cannot be written.
    """
    target = folder / addressee.period
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = re.sub(r"[^a-z0-9]+", "-", addressee.reference.lower())
    page, mail = target / f"{stem}.html", target / f"{stem}.eml"
    _replace(page, rendered.standalone_html.encode())
    _replace(mail, message.as_bytes())
    return page.resolve(), mail.resolve()


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
