"""Who is to get which report now, and what a log of earlier messages means for it. Decisions only: nothing is sent.

One message a person and period: the key of a message names its type, period and recipient, and the log keeps it
unique. States of a key: reserved (nothing handed over yet), handed over (the mail server's answer is not known),
sent, failed (certainly not delivered).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lms_assets.domain.counting.report_facts import Executive, Manager, PartnerFacts, frequency_problem, week_name
from lms_assets.domain.records.emails import normalise_email
from lms_assets.warehouse.bookkeeping.email_log import State

PAM = "pam_weekly_report"
EXECUTIVE = "executive_weekly_report"

Verdict = Literal["send", "already sent", "outcome unknown"]


@dataclass(frozen=True, slots=True)
class Addressee:
    """One person who is to get one message.

    Attributes:
        reference: names the person in logs without personal data: `pam 12`, `executive 3`.
        period: the day, week or month the message stands for: `2026-11-23`, `2026-W48`, `2026-11`.
        manager_ids: rows of `partner_managers` that the message is for; empty for executives.
        owners: whose partners it is about.
    """

    email_type: str
    reference: str
    period: str
    address: str = field(repr=False)
    name: str = field(repr=False)
    manager_ids: tuple[int, ...] = ()
    owners: tuple[str, ...] = field(default=(), repr=False)

    @property
    def message_key(self) -> str:
        """Unique for type, period and recipient; holds no address, since it also shows in message ids."""
        folded = normalise_email(self.address) or self.address.strip().casefold()
        return f"{self.email_type}:{self.period}:{hashlib.sha256(folded.encode()).hexdigest()[:40]}"


@dataclass(frozen=True, slots=True)
class NotDue:
    """Somebody who gets nothing now, and why; `reference` as in Addressee."""

    reference: str
    reason: str


def period_of(frequency: str, moment: datetime) -> str:
    """The day, ISO week or month of a moment (UTC), by how often somebody wants a report."""
    if frequency == "daily":
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m}" if frequency == "monthly" else week_name(moment.date())


def pam_addressees(managers: Sequence[Manager], now: datetime) -> tuple[tuple[Addressee, ...], tuple[NotDue, ...]]:
    """One addressee for each person among the managers, and who gets nothing.

    Two rows with one address are one person who owns both's partners. A report is due once in each period of the
    person's frequency; `last_report_sent` counts, so that a report which the portal sent itself is not repeated.
    """
    people: dict[str, list[Manager]] = {}
    not_due: list[NotDue] = []
    for manager in sorted(managers, key=lambda each: each.id):
        reason = _why_not_due(manager, now)
        if reason:
            not_due.append(NotDue(f"pam {manager.id}", reason))
        else:
            people.setdefault(normalise_email(manager.email) or manager.email.strip().casefold(), []).append(manager)
    return tuple(_pam_addressee(rows, now) for rows in people.values()), tuple(not_due)


def executive_addressees(executives: Iterable[Executive], now: datetime) -> tuple[Addressee, ...]:
    """One addressee a week for each active recipient."""
    return tuple(
        Addressee(EXECUTIVE, f"executive {each.id}", period_of("weekly", now), each.email, each.name or "")
        for each in sorted(executives, key=lambda each: each.id)
    )


def owners_for_preview(partners: Iterable[PartnerFacts], now: datetime, most: int = 3) -> tuple[Addressee, ...]:
    """The owners with the most partners, for files only: there is no address to send anything to.

    Args:
        most: at most so many owners.
    """
    numbers: dict[str, int] = {}
    for partner in partners:
        if partner.owner and partner.owner.strip():
            numbers[partner.owner.strip()] = numbers.get(partner.owner.strip(), 0) + 1
    ranked = sorted(numbers, key=lambda owner: (-numbers[owner], owner))[:most]
    return tuple(
        Addressee(PAM, f"owner {place}", period_of("weekly", now), "", owner, owners=(owner,))
        for place, owner in enumerate(ranked, 1)
    )


def executive_for_preview(now: datetime) -> Addressee:
    """The executive report for a file only, where nobody is named to receive it."""
    return Addressee(EXECUTIVE, "executive", period_of("weekly", now), "", "")


def decide(state: State | None) -> Verdict:
    """What to do about a message of which the log says this.

    One that was handed over without a known answer may have arrived: it is named and never sent again by itself.
    """
    if state == "sent":
        return "already sent"
    return "outcome unknown" if state == "handed over" else "send"


def _why_not_due(manager: Manager, now: datetime) -> str | None:
    frequency = manager.frequency.strip().casefold()
    problem = frequency_problem(frequency)
    if problem:
        return problem
    last = manager.last_report_sent
    if last is not None and period_of(frequency, last) == period_of(frequency, now):
        return f"already got the report of {period_of(frequency, now)}"
    return None


def _pam_addressee(rows: Sequence[Manager], now: datetime) -> Addressee:
    first = rows[0]
    return Addressee(
        email_type=PAM,
        reference=f"pam {first.id}",
        period=period_of(first.frequency.strip().casefold(), now),
        address=first.email,
        name=first.owner_name,
        manager_ids=tuple(each.id for each in rows),
        owners=tuple(each.owner_name for each in rows),
    )
