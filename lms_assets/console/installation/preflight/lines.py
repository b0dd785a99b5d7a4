"""A line of preflight, and how a look at something becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lms_assets.console.running.dagster_state import DagsterStateLost
from lms_assets.domain.safety.clocks import ClockDiffers
from lms_assets.settings import ConfigurationError, Settings
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.errors import WarehouseError

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Line:
    """One thing that was looked at: what was seen, or what is wrong and what to do. A warning stops nothing."""

    name: str
    status: Status
    note: str


class NotAsNeeded(Exception):
    """Something is not as it has to be; the message says what to do."""


Look = Callable[[Settings], Iterable[Line]]


def ok(name: str, note: str) -> Line:
    """It is as it should be."""
    return Line(name, "ok", note)


def warning(name: str, note: str) -> Line:
    """The chain can run without it."""
    return Line(name, "warning", note)


def problem(name: str, note: str) -> Line:
    """A finding because of which a run would fail."""
    return Line(name, "problem", note)


def looked_at(name: str, look: Look, settings: Settings) -> Iterator[Line]:
    """The lines of one look; what is known to go wrong in it is the last of them."""
    try:
        yield from look(settings)
    except ConfigurationError as error:
        yield problem(name, "; ".join(error.problems))
    except (DagsterStateLost, NotAsNeeded, ClockDiffers, VendorError, WarehouseError) as error:
        yield problem(name, str(error))
