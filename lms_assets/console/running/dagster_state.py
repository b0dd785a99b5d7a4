"""Dagster's own state, opened so that what is wrong with it is one line with what to do, not a traceback."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from lms_assets.redaction import scrub
from lms_assets.runs.dagster_internals import MIGRATIONS
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.migrations.remembered import remember_migrations

PROBE_BYTES = 65_536
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_WRITES = (errno.EROFS, errno.EACCES, errno.EPERM)
FULL = "the disk is full: make room on it"
READ_ONLY = "it cannot be written: give this user the right to write to it, or name another folder"
# What a database's error contains, and what a person does about it.
_SAID = (
    (r"disk (is )?full|no space left", FULL),
    (r"readonly database|read-only|unable to open database file|permission denied", READ_ONLY),
    (r"access denied|\b1045\b|\b1044\b", "check DAGSTER_MYSQL_USERNAME and DAGSTER_MYSQL_PASSWORD"),
    (r"unknown database|\b1049\b", "check DAGSTER_MYSQL_DB, or create that database as dagster.yaml says"),
    (
        r"can't connect|connection refused|unknown (mysql )?server host|lost connection|timed out|\b200[235]\b",
        "check DAGSTER_MYSQL_HOST and DAGSTER_MYSQL_PORT, and that the server runs",
    ),
)


class DagsterStateLost(Exception):
    """Dagster's state could no longer be written or reached while something ran; the message says what to do."""


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, proved to be usable.

    Raises:
        ConfigurationError: it cannot be opened; nothing was run.
        DagsterStateLost: it broke while it was used.
    """
    home = usable_home()
    # Its SQLite storages load them in full at each of four openings.
    remember_migrations(MIGRATIONS)
    try:
        instance = dg.DagsterInstance.get()
    except Exception as error:  # whatever Dagster or its database driver raises is a matter of configuration
        raise ConfigurationError([_opening_problem(home, error)]) from error
    try:
        with instance:
            yield instance
    except (ConfigurationError, WarehouseError):
        raise
    except Exception as error:
        said = _known(error)
        if said is None:
            raise
        raise DagsterStateLost(f"Dagster's state (DAGSTER_HOME {home}) was lost: {_words(error)}. {said}.") from error


def usable_home() -> Path:
    """The folder that DAGSTER_HOME names, written to for a proof.

    Raises:
        ConfigurationError: it is not set, is no folder or cannot be written.
    """
    text = os.environ.get("DAGSTER_HOME", "").strip()
    if not text:
        raise ConfigurationError(["DAGSTER_HOME is not set; it must name the folder that holds dagster.yaml"])
    home = Path(text)
    if not home.is_absolute() or not home.is_dir():
        what = "is no folder" if home.is_absolute() else "is no absolute path"
        raise ConfigurationError([f"DAGSTER_HOME {home} {what}; it must name the folder that holds dagster.yaml"])
    try:
        with tempfile.TemporaryFile(dir=home) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
    except OSError as error:
        said = FULL if error.errno in _NO_ROOM else READ_ONLY if error.errno in _NO_WRITES else str(error.strerror)
        raise ConfigurationError([f"DAGSTER_HOME {home} cannot be used: {said}"]) from error
    return home


def _opening_problem(home: Path, error: Exception) -> str:
    remedy = _known(error) or "look at the dagster.yaml in it and the variables that it names"
    return f"Dagster's state (DAGSTER_HOME {home}) cannot be opened: {_words(error)}. {remedy[0].upper()}{remedy[1:]}."


def _known(error: BaseException) -> str | None:
    for each in _chain(error):
        number = each.errno if isinstance(each, OSError) else None
        if number in _NO_ROOM:
            return FULL
        text = f"{type(each).__module__} {each}".lower()
        # A vendor's or the warehouse's error has its own message; only files and Dagster's database are meant here.
        if isinstance(each, OSError) or "sqlite" in text or "mysql" in text:
            found = next((remedy for pattern, remedy in _SAID if re.search(pattern, text)), None)
            if found:
                return found
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        following = error.__cause__ or error.__context__
        if following is None:
            return
        error = following


def _words(error: BaseException) -> str:
    """The first line of the first cause that says anything, without secrets and addresses."""
    texts = [str(each).strip() for each in _chain(error)]
    last = next((text for text in reversed(texts) if text), type(error).__name__)
    return scrub(last.splitlines()[0], 300).rstrip(".")
