"""`lms-assets why PARTNER`: what a partner's counts are made of, what is not counted and why, and what changed.

People appear by their LMS id; their names only when the person at the terminal asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lms_assets.console.command import settings_from_environment
from lms_assets.console.partner_question import WhyOptions, find_answer
from lms_assets.console.tables import Output, deliver
from lms_assets.console.tables import Table as OutTable
from lms_assets.domain.counting.certifications import Assessed
from lms_assets.domain.counting.explanation import (
    ChangedItem,
    Changes,
    Explanation,
    differences,
)
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import people_listed
from lms_assets.domain.wording import number_of, visible
from lms_assets.reports.figures.partner_answer import (
    Answer,
    counts_text,
    described_person,
    described_ways,
    time_text,
)
from lms_assets.warehouse.engine import Warehouse


def why_command(
    options: WhyOptions, output: Output, console: Console, *, rules: Rules, now: datetime, html: Path | None = None
) -> int:
    """Explain; returns 0 when it adds up to the stored counts or none are stored, 1 when it does not.

    Args:
        html: where the evidence page goes, instead of the text.

    Raises:
        ConfigurationError: no such partner, several, an instant that cannot be read, or a file that cannot be written.
    """
    settings = settings_from_environment()
    with Warehouse.opened(settings.warehouse_url) as warehouse:
        answer = find_answer(warehouse, options, rules=rules, now=now)
    if html is not None:
        from lms_assets.console.commands.evidence import write_evidence
        from lms_assets.rules_file import load_report_config

        write_evidence(answer, html, config=load_report_config(settings), now=now)
    delivered = deliver([_table(answer)], output, console, facts=_facts(answer))
    if html is not None and not output.as_json:
        console.print(f"The evidence page is in {html}", highlight=False, markup=False, soft_wrap=True)
    elif not delivered and html is None:
        for line in why_lines(answer):
            console.print(line, highlight=False)
    return 1 if answer.stored and _disagreement(answer) else 0


_COLUMNS = ("user_id", "name", "course", "category", "npcu", "completed_at", "expires_at", "through", "verdict",
            "counted", "reason", "enrollment_id")  # fmt: skip


def _table(answer: Answer) -> OutTable:
    """Every enrollment that was looked at, as rows to take away."""
    found = answer.explanation
    rows = [
        {
            "user_id": item.user_id,
            "name": answer.names.get(item.user_id),
            "course": item.course_name,
            "category": item.category,
            "npcu": item.npcu,
            "completed_at": item.completed_at,
            "expires_at": item.expires_at,
            "through": described_ways(answer, item.via),
            "verdict": item.verdict.value,
            "counted": item.counted,
            "reason": item.reason,
            "enrollment_id": item.enrollment_id,
        }
        for item in (*found.counted, *found.not_counted)
    ]
    return OutTable("certifications", _COLUMNS, rows)


def _facts(answer: Answer) -> dict[str, object]:
    found = answer.explanation
    return {
        "partner_id": answer.partner.id,
        "partner": answer.partner.name,
        "tier": answer.partner.tier,
        "as_of": found.at,
        "in_ledger": answer.in_ledger,
        "total_npcu": found.counts.total_npcu,
        **{f"cert_count_{name}": number for name, number in found.counts.by_category.items()},
        "stored_npcu": answer.stored.total_npcu if answer.stored else None,
        "withheld": [reason.text for reason in answer.withheld],
        "notes": list(answer.notes),
    }


def why_lines(answer: Answer) -> Iterator[RenderableType]:
    """The answer, part by part; names and courses are shown as they are, never as markup."""
    found = answer.explanation
    tier = f"  {answer.partner.tier}" if answer.partner.tier else ""
    yield Text.assemble((visible(answer.partner.name), "bold"), f"  #{answer.partner.id}{tier}")
    yield Text(f"As of {time_text(found.at)}: {counts_text(found.counts)}", style="bold")
    yield _verdict(answer)
    for note in answer.notes:
        yield Text(note, "yellow")
    if answer.withheld:
        yield Text("Withheld, not sent to the CRM:", "yellow")
        yield from (Text(f"- {reason.text}", "yellow") for reason in answer.withheld)
    if answer.read_long_ago:
        yield Text(f"Counted with what was read long ago: {people_listed(answer.read_long_ago)}", "yellow")
    yield Text(_summary(found, answer.never_read))
    yield from _list(answer, "Counted", found.counted)
    yield from _list(answer, "Nearly counted", found.nearly)
    if answer.show_all:
        yield from _list(answer, "Everything else", found.others)
    elif found.others:
        yield Text(f"\n{number_of(len(found.others), 'more enrollment')} not counted: --all shows them.", "dim")
    if answer.changes is not None:
        yield Text()
        yield from _changes(answer, answer.changes)


def _changes(answer: Answer, changes: Changes) -> Iterator[RenderableType]:
    before, after = changes.before, changes.after
    yield Text(
        f"Since {time_text(before.at)}: {before.counts.total_npcu} → {after.counts.total_npcu} NPCU", style="bold"
    )
    if not changes.gained and not changes.lost:
        yield Text("Nothing began to count, and nothing stopped counting.")
    for mark, style, items in (("+", "green", changes.gained), ("−", "red", changes.lost)):
        for each in items:
            yield Text.assemble((f"{mark}{each.npcu} ", style), _changed(answer, each))
    if not answer.in_ledger:
        yield Text("Both sides use the people of today: who joined or left in between is not shown.", "dim")


def _changed(answer: Answer, changed: ChangedItem) -> str:
    item = changed.item
    course = visible(item.course_name)
    return f"{described_person(answer, item.user_id)}: {course} ({item.category or 'no category'}), {changed.reason}"


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
    idle, unread = len(found.people - holders - never_read), len(found.people & never_read)
    never = f", never read, so nobody knows what they hold: {unread:,}" if unread else ""
    return (
        f"{number_of(len(found.counted), 'certification')} of {number_of(len(holders), 'person', 'people')} counted, "
        f"{len(found.nearly):,} more nearly. "
        f"The partner's people: {len(found.people):,}, holding nothing: {idle:,}{never}"
    )


def _list(answer: Answer, title: str, items: Sequence[Assessed]) -> Iterator[RenderableType]:
    """The items under their persons: who, through what, and then course by course; at any width nothing is cut."""
    yield Text(f"\n{title}", style="bold")
    if not items:
        yield Text("  nothing", "dim")
        return
    for user_id, group in groupby(items, key=lambda item: item.user_id):
        own = list(group)
        yield Text.assemble(
            described_person(answer, user_id), ("  through " + described_ways(answer, own[0].via), "dim")
        )
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
