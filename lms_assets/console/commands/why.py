"""`lms-assets why PARTNER`: what a partner's counts are made of, what is not counted and why, and what changed.

People appear by their LMS id; their names only when the person at the terminal asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lms_assets.console.asked_partner import one_partner
from lms_assets.console.environment import settings_from_environment
from lms_assets.console.wording import visible
from lms_assets.domain.counting.certifications import Assessed, PartnerCounts, Verdict, Via
from lms_assets.domain.counting.explanation import (
    ChangedItem,
    Changes,
    Explanation,
    changes_between,
    differences,
    explain,
    explained,
)
from lms_assets.domain.counting.holdings import CountingInputs
from lms_assets.domain.counting.report_facts import PartnerFacts, Snapshot
from lms_assets.domain.records.dates import parse_utc
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import WithheldReason, people_listed
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading import groups, people_read, people_read_long_ago, withheld_partners
from lms_assets.warehouse.reading.reports import counting_inputs, people_names, snapshots
from lms_assets.warehouse.results.counts import Counted, last_counted
from lms_assets.warehouse.results.ledger import Ledger, ledger_items, read_ledger

# What the ledger leaves out: it holds one enrollment of each person and certification.
_NOT_LISTED = frozenset({Verdict.SAME_COURSE, Verdict.NO_NPCU})


@dataclass(frozen=True)
class Answer:
    """All that `why_lines` shows.

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


@dataclass(frozen=True)
class WhyOptions:
    """What the person asked: a partner by id or name, and instants as ISO text (UTC without an offset)."""

    partner: str
    at: str | None = None
    since: str | None = None
    names: bool = False
    show_all: bool = False


def why_command(options: WhyOptions, console: Console, *, rules: Rules, now: datetime) -> int:
    """Explain; returns 0 when it adds up to the stored counts or none are stored, 1 when it does not.

    Raises:
        ConfigurationError: no such partner, several, or an instant that cannot be read.
    """
    warehouse = Warehouse(settings_from_environment().warehouse_url)
    try:
        warehouse.require_current_schema()
        answer = find_answer(warehouse, options, rules=rules, now=now)
    finally:
        warehouse.close()
    for line in why_lines(answer):
        console.print(line, highlight=False)
    return 1 if answer.stored and _disagreement(answer) else 0


def find_answer(warehouse: Warehouse, options: WhyOptions, *, rules: Rules, now: datetime) -> Answer:
    """Read and explain, all as of one state of the database.

    Without `at` it is the instant at which the stored counts were counted. A day means the instant at which it was
    counted on that day, if it was. What the ledger covers is read from it; before its first day and after the newest
    counting it is worked out from today's tables.

    Raises:
        ConfigurationError: no such partner, several, or an instant that cannot be read.
    """
    with warehouse.read() as connection:
        partner = one_partner(connection, options.partner)
        counted, ledger = last_counted(connection), read_ledger(connection)
        default = counted.as_of if counted else now
        asked = (("--at", options.at), ("--since", options.since))
        days = {parsed.date() for option, text in asked if text and (parsed := _parsed(text, option))}
        taken = {each.day: each for each in snapshots(connection, days) if each.partner_id == partner.id}
        at = _instant(options.at, "--at", taken) or default
        since = _instant(options.since, "--since", taken)
        if since is not None and since >= at:
            raise ConfigurationError(["--since must be before --at (or before the last count)"])
        inputs = counting_inputs(
            connection, months=rules.certification_months, gtm_category=rules.gtm_category, partner_id=partner.id
        )
        source = _Source(connection, inputs, ledger, partner.id)
        found = source.explanation(at)
        before = source.explanation(since) if since else None
        people = {item.user_id for item in (*found.counted, *found.not_counted)} | found.people
        return Answer(
            partner=partner,
            explanation=found,
            stored=_stored(partner, at, counted, taken),
            changes=changes_between(before, found) if before else None,
            names=people_names(connection, people) if options.names else {},
            group_names={each.id: each.name for each in groups(connection)},
            withheld=withheld_partners(connection, rules).get(partner.id, ()),
            never_read=frozenset(found.people - people_read(connection)),
            read_long_ago=people_read_long_ago(connection, rules, now).get(partner.id, ()),
            show_all=options.show_all,
            notes=tuple(note for each in (at, since) if each and (note := source.note(each))),
            in_ledger=source.covers(at),
        )


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
        items += [
            each for each in today.not_counted if each.verdict in _NOT_LISTED and each.enrollment_id not in listed
        ]
        items.sort(key=lambda item: (item.user_id, item.course_id, item.enrollment_id))
        return explained(items, self.partner_id, at, people=today.people, gtm_category=self.inputs.gtm_category)

    def note(self, at: datetime) -> str | None:
        """What to know of an instant that the ledger does not cover, or that it knows otherwise than today's tables."""
        if self.ledger is None:
            return "There is no ledger yet: worked out from today's tables."
        if at > self.ledger.as_of:
            return f"Nothing was counted as of {_time(at)} yet: worked out from today's tables."
        if not self.covers(at):
            return (
                f"The ledger begins at {_time(self.ledger.since)}: {_time(at)} is worked out from dates of completion "
                "and expiry, with today's people."
            )
        if at == self.ledger.as_of:
            now, then = explain(self.inputs, self.partner_id, at).counts, self.explanation(at).counts
            if now != then:
                return f"People, courses or enrollments changed since; counted again it would be {_counts(now)}."
        return None


def _stored(
    partner: PartnerFacts, at: datetime, counted: Counted | None, taken: Mapping[date, Snapshot]
) -> PartnerCounts | None:
    """The counts that were stored for exactly that instant."""
    if counted and counted.as_of.replace(microsecond=0) == at.replace(microsecond=0):
        return PartnerCounts(partner.id, partner.stored_by_category, partner.stored_npcu, False)
    snapshot = taken.get(at.date())
    if snapshot and snapshot.as_of == at and snapshot.origin == "chain":
        return PartnerCounts(partner.id, snapshot.by_category, snapshot.total_npcu, False)
    return None


def why_lines(answer: Answer) -> Iterator[RenderableType]:
    """The answer, part by part; names and courses are shown as they are, never as markup."""
    found = answer.explanation
    tier = f"  {answer.partner.tier}" if answer.partner.tier else ""
    yield Text.assemble((visible(answer.partner.name), "bold"), f"  #{answer.partner.id}{tier}")
    yield Text(f"As of {_time(found.at)}: {_counts(found.counts)}", style="bold")
    yield _verdict(answer)
    for note in answer.notes:
        yield Text(note, "yellow")
    for reason in answer.withheld:
        yield Text(f"Withheld, not sent to the CRM: {reason.text}", "yellow")
    if answer.read_long_ago:
        yield Text(f"Counted as last read, which is long ago: {people_listed(answer.read_long_ago)}", "yellow")
    yield Text(_summary(found, answer.never_read))
    yield from _list(answer, "Counted", found.counted)
    yield from _list(answer, "Nearly counted", found.nearly)
    if answer.show_all:
        yield from _list(answer, "Everything else", found.others)
    elif found.others:
        yield Text(f"\n{_number(len(found.others), 'more enrollment')} not counted: --all shows them.", "dim")
    if answer.changes is not None:
        yield Text()
        yield from _changes(answer, answer.changes)


def _changes(answer: Answer, changes: Changes) -> Iterator[RenderableType]:
    before, after = changes.before, changes.after
    yield Text(f"Since {_time(before.at)}: {before.counts.total_npcu} → {after.counts.total_npcu} NPCU", style="bold")
    if not changes.gained and not changes.lost:
        yield Text("Nothing began and nothing ceased to count.")
    for mark, style, items in (("+", "green", changes.gained), ("−", "red", changes.lost)):
        for each in items:
            yield Text.assemble((f"{mark}{each.npcu} ", style), _changed(answer, each))
    if not answer.in_ledger:
        yield Text("People are those of today: who joined or left in between shows on neither side.", "dim")


def _changed(answer: Answer, changed: ChangedItem) -> str:
    item = changed.item
    course = visible(item.course_name)
    return f"{_person(answer, item.user_id)}: {course} ({item.category or 'no category'}), {changed.reason}"


def _verdict(answer: Answer) -> Text:
    if answer.stored is None:
        return Text("No counts were stored for this instant.", "dim")
    found = _disagreement(answer)
    if not found:
        return Text("✓ adds up to the stored counts", "green")
    text = "✗ differs from the stored counts: " + "; ".join(found)
    remedy = (
        ""
        if answer.in_ledger
        else ". People, courses or enrollments changed since; the next count stores what is shown here."
    )
    return Text(text + (remedy or ". Add up again: lms-assets run push_to_impartner."), "red")


def _disagreement(answer: Answer) -> tuple[str, ...]:
    if answer.stored is None:
        return ()
    return differences(answer.explanation.counts, answer.stored.total_npcu, answer.stored.by_category)


def _summary(found: Explanation, never_read: frozenset[str]) -> str:
    holders = {item.user_id for item in found.counted}
    idle = _number(len(found.people - holders - never_read), "person", "people") + f" of {len(found.people)}"
    unread = len(found.people & never_read)
    never = f" {_number(unread, 'person', 'people')} never read: nobody knows what they hold." if unread else ""
    return (
        f"{_number(len(found.counted), 'certification')} of {_number(len(holders), 'person', 'people')} counted, "
        f"{_number(len(found.nearly), 'more')} nearly. {idle} of the partner's people hold nothing.{never}"
    )


def _number(count: int, one: str, several: str | None = None) -> str:
    return f"{count} {one}" if count == 1 else f"{count} {several or (one if one == 'more' else one + 's')}"


def _list(answer: Answer, title: str, items: Sequence[Assessed]) -> Iterator[RenderableType]:
    """The items under their persons: who, through what, and then course by course; at any width nothing is cut."""
    yield Text(f"\n{title}", style="bold")
    if not items:
        yield Text("  nothing", "dim")
        return
    for user_id, group in groupby(items, key=lambda item: item.user_id):
        own = list(group)
        yield Text.assemble(_person(answer, user_id), ("  through " + _through(answer, own[0].via), "dim"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", min_width=6)
        table.add_column(overflow="fold")
        for item in own:
            table.add_row(f"{item.npcu} NPCU", Text(visible(_described(item))))
        yield Padding(table, (0, 0, 0, 2))


def _described(item: Assessed) -> str:
    """A counted item says until when it is held, another one why it is not counted."""
    said = f"held until {_short(item.expires_at)}" if item.counted else item.reason
    completed = f"completed {_short(item.completed_at)}, " if item.completed_at else ""
    return f"{item.course_name} ({item.category or 'no category'}): {completed}{said}"


def _short(moment: datetime | None) -> str:
    """UTC; seconds only where they are not 0."""
    if moment is None:
        return "–"
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"


def _person(answer: Answer, user_id: str) -> str:
    name = visible(answer.names.get(user_id, ""))
    return f"{name} ({user_id})" if name else user_id


def _through(answer: Answer, via: Sequence[Via]) -> str:
    return ", ".join(_way(answer, each) for each in via)


def _way(answer: Answer, via: Via) -> str:
    if via.kind == "group":
        return f"group {visible(answer.group_names.get(via.id, via.id))}"
    if via.kind == "crm_contact":
        return f"CRM contact {via.id} (further contact with the same e-mail address)"
    return f"contact {via.id}"


def _counts(counts: PartnerCounts) -> str:
    parts = [f"{counts.total_npcu} NPCU", *(f"{category} {number}" for category, number in counts.by_category.items())]
    if counts.uncategorised:
        parts.append(f"no category {counts.uncategorised}")
    return ", ".join(parts)


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "–"


def _instant(text: str | None, option: str, taken: Mapping[date, Snapshot]) -> datetime | None:
    moment = _parsed(text, option) if text else None
    if moment is not None and text and len(text.strip()) == len("2026-11-23") and moment.date() in taken:
        return taken[moment.date()].as_of
    return moment


def _parsed(text: str, option: str) -> datetime | None:
    try:
        return parse_utc(text)
    except ValueError:
        raise ConfigurationError([f"{option} must be a day or time like 2026-11-23 or 2026-11-23T02:00:00Z"]) from None
