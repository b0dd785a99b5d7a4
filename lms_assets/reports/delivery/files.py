"""Reports as files, where no mail server is configured: an `.html` and an `.eml` each, readable by their owner only."""

from __future__ import annotations

import os
import re
import tempfile
from email.message import EmailMessage
from pathlib import Path

from lms_assets.reports.delivery.recipients import Addressee
from lms_assets.reports.rendering.render import Rendered


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
