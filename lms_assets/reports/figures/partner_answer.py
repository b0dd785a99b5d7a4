"""The answer to "why does this partner have these counts?": from the ledger where it covers the instant asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lms_assets.domain.counting.certifications import PartnerCounts, Verdict, Via
from lms_assets.domain.counting.explanation import Changes, Explanation, changes_between, explain, explained
from lms_assets.domain.counting.holdings import CountingInputs
from lms_assets.domain.counting.report_facts import PartnerFacts
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import WithheldReason
from lms_assets.domain.sync_plans.counts import Ledger
from lms_assets.domain.wording import visible
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.enrollments import people_read, stored_enrollments
from lms_assets.warehouse.reading.foundation import course_facts
from lms_assets.warehouse.reading.people import stored_affiliations, stored_groups
from lms_assets.warehouse.reading.reports import counted_on, people_names
from lms_assets.warehouse.reading.withheld import people_read_long_ago, withheld_partners
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.results.ledger import ledger_items, read_ledger

# What the ledger leaves out: of several attempts it holds one, and no course without NPCU.
NOT_LISTED = frozenset({Verdict.SAME_COURSE, Verdict.NO_NPCU})


@dataclass(frozen=True)
class Answer:
    """All that `lms-assets why` and the evidence page show.

    Attributes:
        partner: as stored.
        explanation: of the instant asked for.
        stored: the counts that were stored for exactly that instant, None when there are none.
        changes: against the earlier instant asked for.
        names: person id to name, empty unless asked for; group_names: group id to name.
        never_read: people whose transcript was never read completely: not the same as holding nothing.
        read_long_ago: people whose transcript was not read for longer than the rules allow.
        withheld: why the partner's counts are not sent to the CRM; empty when they are.
        show_all: also what is far from counting.
        notes: where it was not read from the ledger, and why.
        in_ledger: whether it was.
    """

    partner: PartnerFacts
    explanation: Explanation
    stored: PartnerCounts | None = None
    changes: Changes | None = None
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    group_names: Mapping[str, str] = field(default_factory=dict)
    withheld: tuple[WithheldReason, ...] = ()
    read_long_ago: tuple[str, ...] = ()
    show_all: bool = False
    never_read: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    in_ledger: bool = False


class Answers:
    """Answers about partners, all as of one state of the database; what several need is read once."""

    def __init__(self, connection: Connection, rules: Rules, now: datetime) -> None:
        self._connection = connection
        self._rules = rules
        self._now = now
        self._counted = last_counted(connection)
        self._ledger = read_ledger(connection)
        self._affiliations = stored_affiliations(connection)
        self._courses = course_facts(connection)
        self._group_names = {each.id: each.name for each in stored_groups(connection)}
        self._withheld = withheld_partners(connection, rules)
        self._read = people_read(connection)
        self._read_long_ago = people_read_long_ago(connection, rules, now)

    @property
    def counted_at(self) -> datetime:
        """The instant of the newest counting; without one, now."""
        return self._counted.as_of if self._counted else self._now

    def about(
        self,
        partner: PartnerFacts,
        at: datetime,
        *,
        since: datetime | None = None,
        names: bool = False,
        show_all: bool = False,
    ) -> Answer:
        """What the partner's counts as of an instant are made of, and what changed since an earlier one.

        What the ledger covers is read from it; before its first day and after the newest counting it is worked out
        from today's tables.
        """
        theirs = [each for each in self._affiliations if each.partner_id == partner.id]
        attempts = tuple(stored_enrollments(self._connection, {each.user_id for each in theirs}))
        rules = self._rules
        inputs = CountingInputs(theirs, attempts, self._courses, rules.certification_months, rules.gtm_category)
        source = _Source(self._connection, inputs, self._ledger, partner.id)
        found = source.explanation(at)
        before = source.explanation(since) if since else None
        people = {item.user_id for item in (*found.counted, *found.not_counted)} | found.people
        return Answer(
            partner=partner,
            explanation=found,
            stored=self._stored(partner, at),
            changes=changes_between(before, found) if before else None,
            names=people_names(self._connection, people) if names else {},
            group_names=self._group_names,
            withheld=self._withheld.get(partner.id, ()),
            never_read=frozenset(found.people - self._read),
            read_long_ago=self._read_long_ago.get(partner.id, ()),
            show_all=show_all,
            notes=tuple(note for each in (at, since) if each and (note := source.note(each))),
            in_ledger=source.covers(at),
        )

    def _stored(self, partner: PartnerFacts, at: datetime) -> PartnerCounts | None:
        """The counts that were stored for exactly that instant."""
        counted = self._counted
        if counted and counted.as_of.replace(microsecond=0) == at.replace(microsecond=0):
            return PartnerCounts(partner.id, partner.stored_by_category, partner.stored_npcu, False)
        as_of, counts = counted_on(self._connection, partner.id, [at.date()]).get(at.date(), (None, None))
        return counts if as_of == at else None


@dataclass(frozen=True)
class _Source:
    """Where the explanations of one partner come from: the ledger where it covers an instant, else today's tables."""

    connection: Connection
    inputs: CountingInputs
    ledger: Ledger | None
    partner_id: int

    def covers(self, at: datetime) -> bool:
        """Whether the ledger tells what was known at the instant."""
        return self.ledger is not None and self.ledger.covers(at)

    def explanation(self, at: datetime) -> Explanation:
        """What the counts at the instant were, or would be, made of.

        The ledger holds one enrollment of each person and certification; the other attempts, and courses without
        NPCU, are added as today's tables have them.
        """
        today = explain(self.inputs, self.partner_id, at)
        if not self.covers(at):
            return today
        items = list(ledger_items(self.connection, at=at, partner_id=self.partner_id))
        listed = {item.enrollment_id for item in items}
        items += [each for each in today.not_counted if each.verdict in NOT_LISTED and each.enrollment_id not in listed]
        items.sort(key=lambda item: (item.user_id, item.course_id, item.enrollment_id))
        return explained(items, self.partner_id, at, people=today.people, gtm_category=self.inputs.gtm_category)

    def note(self, at: datetime) -> str | None:
        """What to know of an instant that the ledger does not cover, or that it knows otherwise than today's tables."""
        if self.ledger is None:
            return "There is no ledger yet: worked out from today's tables."
        if at > self.ledger.as_of:
            return f"Nothing was counted as of {time_text(at)} yet: worked out from today's tables."
        if not self.covers(at):
            return (
                f"The ledger begins at {time_text(self.ledger.since)}: {time_text(at)} is worked out from dates of "
                "completion and expiry, with today's people."
            )
        if at == self.ledger.as_of:
            now, then = explain(self.inputs, self.partner_id, at).counts, self.explanation(at).counts
            if now != then:
                return f"People, courses or enrollments changed since; counted again it would be {counts_text(now)}."
        return None


def described_person(answer: Answer, user_id: str) -> str:
    """The person's id, with the name where names were asked for."""
    name = visible(answer.names.get(user_id, ""))
    return f"{name} ({user_id})" if name else user_id


def described_ways(answer: Answer, via: Sequence[Via]) -> str:
    """Through which groups and contacts a person belongs to the partner."""
    return ", ".join(_way(answer, each) for each in via)


def _way(answer: Answer, via: Via) -> str:
    if via.kind == "group":
        return f"group {visible(answer.group_names.get(via.id, via.id))}"
    if via.kind == "crm_contact":
        return f"CRM contact {via.id} (further contact with the same e-mail address)"
    return f"contact {via.id}"


def counts_text(counts: PartnerCounts) -> str:
    """Counts in a line."""
    parts = [f"{counts.total_npcu} NPCU", *(f"{category} {number}" for category, number in counts.by_category.items())]
    if counts.uncategorised:
        parts.append(f"no category {counts.uncategorised}")
    return ", ".join(parts)


def time_text(moment: datetime | None) -> str:
    """An instant in UTC, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "–"
