"""Preflight's look at this machine: room on the disks that the product writes to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lms_assets.console.installation.preflight.lines import Line, ok, problem, warning
from lms_assets.settings import Settings
from lms_assets.warehouse.engine import parse_url, sqlite_path

# A month of runs takes about 1 GB; below the first a chain may fail in the middle.
LEAST_BYTES, WANTED_BYTES = 2**30, 5 * 2**30
LEAST_FILES = 10_000


def disk(settings: Settings) -> Iterator[Line]:
    """Free bytes and inodes of every disk that is written to, each disk once."""
    seen: set[int] = set()
    for folder in _folders(settings):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        device = there.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield line_of_disk(there, os.statvfs(there))


def line_of_disk(folder: Path, room: os.statvfs_result) -> Line:
    """What the room on a disk means."""
    free = room.f_bavail * room.f_frsize
    said = f"{folder}: {free / 2**30:.1f} GB free"
    if free < LEAST_BYTES:
        return problem("disk", f"{said}; a chain needs 1 GB: make room")
    if room.f_files and room.f_favail < LEAST_FILES:
        return problem(
            "disk", f"{folder}: {room.f_favail:,} files can be made; runs need {LEAST_FILES:,}: remove files"
        )
    if free < WANTED_BYTES:
        return warning("disk", f"{said}; a month of runs takes about 1 GB: keep 5 GB")
    return ok("disk", said)


def _folders(settings: Settings) -> Iterator[Path]:
    yield Path(tempfile.gettempdir())
    if home := os.environ.get("DAGSTER_HOME", "").strip():
        yield Path(home).absolute()
    warehouse = sqlite_path(parse_url(settings.warehouse_url))
    if warehouse is not None:
        yield warehouse.absolute().parent
    yield settings.reports_dir.absolute()
