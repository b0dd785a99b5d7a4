"""Checks that only warn: which of them need a person now, and what the others come to once a day. Pure.

A warning stands for what is odd and stays odd. It becomes an incident when it costs counts, or when its number rises;
the others are in the daily digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from lms_assets.domain.operations.incident import CheckFinding, Incident, Message
from lms_assets.domain.wording import as_text, number_of

# A number that has stood for so long is known; from then on it is in the digest.
KNOWN_AFTER = timedelta(days=7)
DIGEST_HOUR = 7


@dataclass(frozen=True, slots=True)
class Level:
    """What is known of a check's number.

    Attributes:
        known: the number that people know of.
        peak: the highest since it rose above that; None while it has not risen.
        since: when it rose, ISO 8601 in UTC.
    """

    known: int
    peak: int | None = None
    since: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What is kept of it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Risen:
    """A warning that needs a person now: from `known` to the number of `warned`, `peak` at its highest."""

    warned: CheckFinding
    known: int
    peak: int
    since: datetime


def follow(
    warnings: Iterable[CheckFinding], levels: Mapping[str, Level], now: datetime
) -> tuple[tuple[Risen, ...], dict[str, Level]]:
    """Which warnings have risen, and what is known of each from now on.

    The first number of a check is what people begin with. A number that falls is the new known one; one that rose is
    known after a week, unless it costs counts: that stays an incident until it is over.
    """
    risen, after = [], {}
    for each in warnings:
        level = levels.get(each.check) or Level(_number(each))
        known = 0 if each.costs_counts else level.known
        if _number(each) <= known:
            after[each.check] = Level(_number(each))
            continue
        since = datetime.fromisoformat(level.since) if level.since else now
        if not each.costs_counts and now - since >= KNOWN_AFTER:
            after[each.check] = Level(_number(each))
            continue
        peak = max(_number(each), level.peak or 0)
        after[each.check] = Level(known, peak, since.isoformat())
        risen.append(Risen(each, known, peak, since))
    return tuple(risen), after


def _number(finding: CheckFinding) -> int:
    """How much is odd; a check that does not count is odd once when it costs counts, and never rises otherwise."""
    if finding.passed:
        return 0
    return int(finding.costs_counts) if finding.count is None else finding.count


def incident_of(risen: Risen) -> Incident:
    """The incident; alerted again when the number rises further."""
    warned = risen.warned
    effect = f"Nothing is blocked. The number has risen from {risen.known:,} to {_number(warned):,}."
    if warned.costs_counts:
        effect = "Counts are too low because of this, or are not sent; the CRM keeps what it has for those not sent."
    return Incident(
        key=key_of(warned.check, warned.asset),
        kind="warning",
        what=f"Check {warned.check} on {warned.asset}: {warned.description}",
        since=risen.since,
        effect=effect,
        remedy=warned.remedy or "The check on the asset's page shows every example.",
        grade=str(risen.peak),
        assets=(warned.asset,),
        run_id=warned.run_id,
    )


def key_of(check: str, asset: str) -> str:
    """The incident's key."""
    return f"warning/{asset}/{check}"


def digest_is_due(last_day: str | None, now: datetime) -> bool:
    """Whether today's digest (UTC) is still to be sent; `last_day` is the day of the last one, ISO 8601."""
    return now.hour >= DIGEST_HOUR and last_day != now.date().isoformat()


def digest_of(warnings: Sequence[CheckFinding], risen: Iterable[Risen], ui_url: str) -> Message | None:
    """The daily message about warnings that are no incident; None when there are none."""
    reported = {each.warned.check for each in risen}
    red = [each for each in warnings if not each.passed and each.check not in reported]
    if not red:
        return None
    lines = [as_text(f"{each.asset}, {each.check}: {each.description}. {each.remedy}") for each in red]
    checks = number_of(len(red), "check warns", "checks warn")
    intro = "Nothing is blocked, and none of these is new. LMS_DAILY_DIGEST=0 switches this message off."
    return Message(f"lms-assets: daily digest, {checks}", "\n\n".join([intro, *lines, f"Look here: {ui_url}"]), True)
