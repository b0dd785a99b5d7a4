"""The question "why does this partner have these counts?", and the partner that somebody at the terminal means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.counting.report_facts import PartnerFacts
from lms_assets.domain.records.dates import parse_utc
from lms_assets.domain.rules import Rules
from lms_assets.reports.figures.partner_answer import Answer, Answers
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.reports import counted_on, find_partners

LISTED = 15


def one_partner(connection: Connection, asked: str) -> PartnerFacts:
    """The only partner of this id or name, or with this text in its name.

    Raises:
        ConfigurationError: there is none, or there are several; the first of them are named.
    """
    found = find_partners(connection, asked)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError([f"no partner has the id or name {asked!r}"])
    listed = "; ".join(f"#{each.id} {each.name}" for each in found[:LISTED])
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    raise ConfigurationError([f"{len(found)} partners have {asked!r} in their name; give the number: {listed}{more}"])


@dataclass(frozen=True)
class WhyOptions:
    """What the person asked: a partner by id or name, and instants as ISO text (UTC without an offset)."""

    partner: str
    at: str | None = None
    since: str | None = None
    names: bool = False
    show_all: bool = False


def find_answer(warehouse: Warehouse, options: WhyOptions, *, rules: Rules, now: datetime) -> Answer:
    """Read and explain, all as of one state of the database.

    Without `at` it is the instant at which the stored counts were counted. A day means the instant at which it was
    counted on that day, if it was.

    Raises:
        ConfigurationError: no such partner, several, or an instant that cannot be read.
    """
    with warehouse.read() as connection:
        partner = one_partner(connection, options.partner)
        answers = Answers(connection, rules, now)
        asked = (("--at", options.at), ("--since", options.since))
        days = {parsed.date() for option, text in asked if text and (parsed := _parsed(text, option))}
        taken = counted_on(connection, partner.id, days)
        at = _instant(options.at, "--at", taken) or answers.counted_at
        since = _instant(options.since, "--since", taken)
        if since is not None and since >= at:
            raise ConfigurationError(["--since must be before --at (or before the last count)"])
        return answers.about(partner, at, since=since, names=options.names, show_all=options.show_all)


def _instant(text: str | None, option: str, taken: Mapping[date, tuple[datetime, PartnerCounts]]) -> datetime | None:
    moment = _parsed(text, option) if text else None
    if moment is not None and text and len(text.strip()) == len("2026-11-23") and moment.date() in taken:
        return taken[moment.date()][0]
    return moment


def _parsed(text: str, option: str) -> datetime | None:
    try:
        return parse_utc(text)
    except ValueError:
        raise ConfigurationError([f"{option} must be a day or time like 2026-11-23 or 2026-11-23T02:00:00Z"]) from None
