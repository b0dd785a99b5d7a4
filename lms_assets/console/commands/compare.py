"""`lms-assets compare`: old counts against new, per partner, with the reason of each difference. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from lms_assets.console.command import settings_from_environment
from lms_assets.console.tables import Output, Table, deliver, read_table
from lms_assets.domain.counting.certifications import Assessed, assess, count
from lms_assets.domain.counting.comparison import Compared, Fit, OldCounts, OldData, compare, pair_up
from lms_assets.domain.counting.comparison_reasons import Effect, View, cells
from lms_assets.domain.linking.partner_users import Affiliation, GroupFacts, partner_users
from lms_assets.domain.records.courses import ARCHIVED
from lms_assets.domain.records.dates import parse_utc
from lms_assets.domain.rules import Rules
from lms_assets.domain.schedule import CHAIN
from lms_assets.domain.wording import number_of, visible
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.enrollments import stored_enrollments
from lms_assets.warehouse.reading.foundation import course_facts, partner_activity, stored_courses, stored_partners
from lms_assets.warehouse.reading.old_counts import kept_old_counts, read_old_counts
from lms_assets.warehouse.reading.people import person_facts, stored_groups, stored_members
from lms_assets.warehouse.reading.reports import counting_inputs
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, last_counted, stored_counts
from lms_assets.warehouse.results.links import stored_lost_links

NEEDED = ("account_name", "total_npcu")


def read_old_counts_file(path: Path) -> OldData:
    """The counts in a CSV or Excel file with a line of column names: those of `partners`, in any order.

    `account_name` and `total_npcu` must be there; `impartner_id`, `salesforce_id` and `cert_count_*` are used, others
    are passed over. A category without a column is not compared.

    Raises:
        ConfigurationError: it cannot be read, a column is missing, or a count is no whole number.
    """
    table = read_table(path)
    if missing := [name for name in NEEDED if name not in table.columns]:
        raise ConfigurationError([f"{path} has no column {', '.join(missing)} in its first line"])
    found = {category: name for category, name in CATEGORY_COLUMNS.items() if name in table.columns}
    accounts = []
    for line, row in table.rows:
        where = f"{path}, line {line}"
        by_category = {category: _whole(row, name, where) or 0 for category, name in found.items()}
        accounts.append(
            OldCounts(
                row["account_name"],
                _whole(row, "total_npcu", where) or 0,
                by_category,
                impartner_id=_whole(row, "impartner_id", where),
                salesforce_id=row.get("salesforce_id") or None,
            )
        )
    return OldData(tuple(accounts), tuple(found))


def _whole(row: Mapping[str, str], name: str, where: str) -> int | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError([f"{where}: {name} is no whole number"]) from None


COUNT_FIRST = f"nothing has been counted yet; run LMS_PUSH_DRY_RUN=1 lms-assets run {CHAIN} first"
NO_OLD = (
    "this warehouse holds no counts from before its first chain; name them with --old-url or --old-csv "
    "(CSV or Excel; columns account_name, total_npcu; better with impartner_id and cert_count_...)"
)


@dataclass(frozen=True)
class CompareOptions:
    """Where the old counts are: a database URL, a CSV file, or, without either, in the warehouse itself.

    `old_at`: when they were made, ISO 8601 (UTC without an offset).
    """

    old_url: str | None = None
    old_csv: Path | None = None
    old_at: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What `compare_lines` shows. `stale`: partners whose data changed after the last counting."""

    rows: tuple[Compared, ...]
    categories: tuple[str, ...]
    at: datetime
    old_at: datetime | None
    stale: int = 0


def compare_command(options: CompareOptions, console: Console, output: Output, *, rules: Rules) -> int:
    """Print the comparison; returns 0 whatever it shows.

    Raises:
        ConfigurationError, WarehouseError: nothing to compare, or it cannot be read.
    """
    if options.old_url and options.old_csv:
        raise ConfigurationError(["--old-url and --old-csv exclude each other"])
    with Warehouse.opened(settings_from_environment().warehouse_url) as warehouse, warehouse.read() as connection:
        found = find_comparison(connection, old_data(options, connection), rules=rules)
    facts, tables = compare_tables(found)
    if not deliver(tables, output, console, facts=facts):
        for line in compare_lines(found):
            console.print(line, highlight=False)
    return 0


def old_data(options: CompareOptions, connection: Connection) -> OldData:
    """The old counts from where the options say; `connection` is to the warehouse.

    Raises:
        ConfigurationError, WarehouseError: there are none, or they cannot be read.
    """
    if options.old_csv is not None:
        found: OldData | None = read_old_counts_file(options.old_csv)
    elif options.old_url is not None:
        found = _from_database(options.old_url)
    else:
        found = kept_old_counts(connection)
    if found is None:
        raise ConfigurationError([NO_OLD])
    if options.old_at is None:
        return found
    try:
        return replace(found, at=parse_utc(options.old_at))
    except ValueError:
        raise ConfigurationError(["--old-at must be a day or time like 2026-11-20 or 2026-11-20T18:00:00Z"]) from None


def _from_database(url: str) -> OldData:
    try:
        other = Warehouse(url)
    except ValueError as error:
        raise ConfigurationError([f"--old-url: {error}"]) from None
    try:
        with other.read() as connection:
            return read_old_counts(connection, other.name)
    finally:
        other.close()


def find_comparison(connection: Connection, old: OldData, *, rules: Rules) -> Comparison:
    """Compare with our counts as of the last counting.

    Raises:
        ConfigurationError: nothing has been counted yet.
    """
    counted = last_counted(connection)
    if counted is None:
        raise ConfigurationError([COUNT_FIRST])
    at, months = counted.as_of, rules.certification_months
    inputs = counting_inputs(connection, months=months, gtm_category=rules.gtm_category)
    items = tuple(assess(inputs.affiliations, inputs.enrollments, inputs.courses, at=at, months=months))
    stored = stored_partners(connection)
    active = [each.id for each in stored if each.is_active]
    new = count(items, active, rules.gtm_category)
    kept = stored_counts(connection)
    groups = stored_groups(connection, active_only=True)
    view = View(
        at=at,
        closed={(each.partner_id, each.user_id): each.obstacle for each in inputs.affiliations if each.obstacle},
        archived={each.id for each in stored_courses(connection) if each.status == ARCHIVED},
        guessed={each.id for each in groups if each.link_method in {"fuzzy", "override"}},
        old_at=old.at,
    )
    unlinked = _unlinked(connection, inputs.affiliations, at=at, months=months)
    names = {each.id: each.account_name for each in stored}
    pairs = pair_up(old.accounts, stored, active)
    rows = compare(pairs, {key: new[key] for key in active}, names, cells(items, unlinked, view), old.categories)
    stale = sum(kept[key]["total_npcu"] != new[key].total_npcu for key in active)
    return Comparison(tuple(filter(_says_something, rows)), old.categories, at, old.at, stale)


def _unlinked(
    connection: Connection, present: Sequence[Affiliation], *, at: datetime, months: int
) -> tuple[Assessed, ...]:
    """What people in groups that lost their partner would count there; people who count there anyway are left out."""
    lost = stored_lost_links(connection)
    if not lost:
        return ()
    there = {(each.partner_id, each.user_id) for each in present if each.obstacle is None}
    members = [(group, user) for group, user in stored_members(connection) if group in lost]
    partners, people = partner_activity(connection), person_facts(connection)
    as_before = partner_users(partners, people, [GroupFacts(*each) for each in lost.items()], members, ())
    missing = [each for each in as_before if (each.partner_id, each.user_id) not in there]
    found = stored_enrollments(connection, {each.user_id for each in missing})
    return tuple(assess(missing, found, course_facts(connection), at=at, months=months))


def _says_something(row: Compared) -> bool:
    """Leaves out accounts without any counts that only one side has."""
    old = row.old is not None and bool(row.old.total_npcu or any(row.old.by_category.values()))
    new = row.new is not None and bool(row.new.total_npcu or any(row.new.by_category.values()))
    return row.fit is Fit.EQUAL or old or new


def compare_lines(found: Comparison) -> Iterator[Text]:
    """A block for each partner that differs, the furthest first, and a summary."""
    since = f"of {_time(found.old_at)}" if found.old_at else "of an unknown time (--old-at says when)"
    yield Text(f"Old counts {since} against ours as of {_time(found.at)}", style="bold")
    if found.stale:
        yield Text(
            f"The data of {number_of(found.stale, 'partner')} changed since the count; all below is as of now.",
            "yellow",
        )
    if missing := _not_compared(found):
        yield Text(f"Not compared, since the old counts do not have it: {', '.join(missing)}", "yellow")
    for row in sorted(found.rows, key=_what_matters):
        if row.fit is not Fit.EQUAL:
            yield from _block(row, found.categories)
    yield from _summary(found.rows)


ORDER = (
    Fit.UNEXPLAINED,
    Fit.OTHER_CATEGORIES,
    Fit.NPCU_EXPLAINED,
    Fit.EXPLAINED,
    Fit.NEW_ONLY,
    Fit.OLD_ONLY,
    Fit.INACTIVE_HERE,
    Fit.EQUAL,
)


def _what_matters(row: Compared) -> tuple[int, int, str]:
    """What nobody can explain first, what is no partner here last; of those the furthest first."""
    return ORDER.index(row.fit), -abs(row.npcu), row.name


def _not_compared(found: Comparison) -> list[str]:
    return [each for each in CATEGORY_COLUMNS if each not in found.categories]


COMPARED = ("partner", "name", "fit", "old_npcu", "new_npcu", "npcu_difference")


def compare_tables(found: Comparison) -> tuple[Mapping[str, object], Sequence[Table]]:
    """All that the text says, for programs, equal partners too: a row each, what matters first."""
    both = [row for row in found.rows if row.old and row.new]
    facts = {
        "old_at": found.old_at,
        "as_of": found.at,
        "partners_changed_since": found.stale,
        "not_compared": _not_compared(found),
        "partners_in_both": len(both),
        "old_npcu_in_both": sum(row.old.total_npcu for row in both if row.old),
        "new_npcu_in_both": sum(row.new.total_npcu for row in both if row.new),
    }
    columns = [*COMPARED]
    for each in found.categories:
        columns += [f"old_{each}", f"new_{each}"]
    rows = [_as_row(row, found.categories) for row in sorted(found.rows, key=_what_matters)]
    return facts, [Table("partners", (*columns, "reasons", "other_reasons_add_up", "possible"), rows)]


def _as_row(row: Compared, categories: Sequence[str]) -> dict[str, object]:
    old, new = row.old, row.new
    values: dict[str, object] = {
        "partner": row.partner_id,
        "name": row.name,
        "fit": str(row.fit),
        "old_npcu": old.total_npcu if old else None,
        "new_npcu": new.total_npcu if new else None,
        "npcu_difference": row.npcu if old and new else None,
        "reasons": [_effect(each) for each in row.reasons],
        "other_reasons_add_up": row.ambiguous,
        "possible": [_effect(each) for each in row.possible],
    }
    for each in categories:
        values[f"old_{each}"] = old.by_category.get(each, 0) if old else None
        values[f"new_{each}"] = new.by_category.get(each, 0) if new else None
    return values


def _block(row: Compared, categories: Sequence[str]) -> Iterator[Text]:
    old, new = row.old, row.new
    moves = [f"NPCU {old.total_npcu if old else '–'} → {new.total_npcu if new else '–'} ({row.npcu:+})"]
    for each in categories:
        before = old.by_category.get(each, 0) if old else 0
        after = new.by_category.get(each, 0) if new else 0
        if before != after:
            moves.append(f"{each} {before if old else '–'} → {after if new else '–'}")
    number = f"#{row.partner_id} " if row.partner_id is not None else ""
    yield Text(f"\n{number}{visible(row.name)}: {', '.join(moves)}")
    if row.fit is not Fit.EXPLAINED:
        yield Text(f"    {row.fit}", "yellow")
    yield from (Text(f"    {_effect(effect)}") for effect in row.reasons)
    if row.ambiguous:
        yield Text("    other reasons add up as well", "dim")
    if not row.reasons and row.possible:
        yield Text("    possible reasons:", "dim")
        yield from (Text(f"      {_effect(effect)}", "dim") for effect in row.possible)
        yield Text(f"    lms-assets why {row.partner_id} shows each certification", "dim")


def _effect(effect: Effect) -> str:
    return f"{effect.npcu:+} NPCU: {effect.reason} ({number_of(effect.certifications, 'certification')})"


def _summary(rows: Sequence[Compared]) -> Iterator[Text]:
    fits = Counter(row.fit for row in rows)
    both = [row for row in rows if row.old and row.new]
    before = sum(row.old.total_npcu for row in both if row.old)
    after = sum(row.new.total_npcu for row in both if row.new)
    reasons = Counter(each.reason for row in rows for each in row.reasons)
    moved = Counter[str]()
    for row in rows:
        for each in row.reasons:
            moved[each.reason] += each.npcu
    if reasons:
        yield Text("\nReasons", style="bold")
    for reason, partners in reasons.most_common():
        yield Text(f"  {reason}: {number_of(partners, 'partner')}, {moved[reason]:+} NPCU")
    shown = ", ".join(f"{number} {fit}" for fit in Fit if (number := fits[fit]))
    yield Text(f"\n{number_of(len(rows), 'partner')}: {shown}", style="bold")
    yield Text(f"NPCU of the {len(both)} that both have: {before} → {after} ({after - before:+})", style="bold")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
