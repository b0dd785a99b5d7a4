"""`lms-assets rules show|check|diff`: the rules in force and where each comes from, and what others would do.

Reads the stored rows only; nothing is written and no vendor is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from lms_assets.console.command import settings_from_environment
from lms_assets.console.tables import Output, Table, deliver, terminal
from lms_assets.domain.counting.rule_change import (
    SEEN_IN_STORED_ROWS,
    CategoryMove,
    PartnerMove,
    category_moves,
    changed_rules,
    counts_under,
    partner_moves,
)
from lms_assets.domain.rules import CategoryRule, Rules
from lms_assets.domain.schedule import CHAIN
from lms_assets.domain.wording import number_of, visible
from lms_assets.reports.config import ReportConfig
from lms_assets.rules_file import load_report_config, load_rules, read_rules_file
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.foundation import category_rules
from lms_assets.warehouse.reading.rule_change import stored_portal
from lms_assets.warehouse.results.counts import last_counted

SHOWN = 20
_VALUE_WIDTH = 200
_TABLE = "certification_category_rules"


@dataclass(frozen=True)
class Change:
    """What other rules would do.

    `unseen`: changed rules whose effect stored rows do not show; `categories_from_table`: a table wins over the file.
    """

    at: datetime
    changed: tuple[str, ...]
    unseen: tuple[str, ...]
    categories_from_table: bool
    partners: tuple[PartnerMove, ...]
    categories: tuple[CategoryMove, ...]


def show_command(console: Console, output: Output) -> int:
    """Print the rules in force with where each comes from; returns 0.

    Raises:
        ConfigurationError: they cannot be read.
    """
    settings = settings_from_environment()
    rules, config = load_rules(settings), load_report_config(settings)
    given = read_rules_file(settings.rules_file, "LMS_RULES_FILE")[2] if settings.rules_file else {}
    with Warehouse.opened(settings.warehouse_url) as warehouse, warehouse.read() as connection:
        stored = category_rules(connection)
    file = str(settings.rules_file)
    rows = [
        {
            "rule": each.name,
            "value": _said(getattr(rules, each.name)),
            "from": file if each.name in given else "default",
        }
        for each in fields(Rules)
    ]
    if stored:
        wins = {"rule": "category_rules", "value": _said(stored), "from": f"table {_TABLE}"}
        rows = [wins if row["rule"] == "category_rules" else row for row in rows]
    in_file = "tier_requirements" in given.get("reports", {})
    requirements = {"rule": "reports.tier_requirements", "value": _said(config.tier_requirements)}
    rows.append({**requirements, "from": file if in_file else "default"})
    if deliver([Table("rules", ("rule", "value", "from"), rows)], output, console):
        return 0
    short = [{**row, "value": _shortened(row["value"])} for row in rows]
    console.print(terminal(Table("rules", ("rule", "value", "from"), short)))
    return 0


def check_command(file: Path | None, console: Console) -> int:
    """Validate a rules file, the one in force when None; returns 0.

    Raises:
        ConfigurationError: with one line for every mistake.
    """
    path = file or settings_from_environment().rules_file
    if path is None:
        console.print("LMS_RULES_FILE is not set: the defaults are in force.", highlight=False)
        return 0
    number = len(read_rules_file(path, str(path))[2])
    console.print(f"{path}: {number_of(number, 'key')}, all valid", highlight=False, soft_wrap=True)
    return 0


def diff_command(file: Path, console: Console, output: Output, *, now: datetime) -> int:
    """Print what the rules of a file would change, counted from the stored rows; returns 0.

    Raises:
        ConfigurationError: the file or the rules in force are wrong.
    """
    settings = settings_from_environment()
    new_rules, new_config, _ = read_rules_file(file, str(file))
    rules, config = load_rules(settings), load_report_config(settings)
    with Warehouse.opened(settings.warehouse_url) as warehouse:
        found = find_change(warehouse, (rules, config), (new_rules, new_config), now=now)
    tables = _tables(found)
    facts = {"as_of": found.at, "changed": list(found.changed), "not_seen_in_stored_rows": list(found.unseen)}
    if not deliver(tables, output, console, facts=facts):
        for line in _lines(found):
            console.print(line, highlight=False, markup=False)
        for table in tables:
            if table.rows:
                console.print()
                console.print(terminal(Table(table.name, table.columns, table.rows[:SHOWN], table.titles)))
                if len(table.rows) > SHOWN:
                    console.print(f"and {len(table.rows) - SHOWN:,} more: --out FILE has all", highlight=False)
    return 0


def find_change(
    warehouse: Warehouse, before: tuple[Rules, ReportConfig], after: tuple[Rules, ReportConfig], *, now: datetime
) -> Change:
    """Count the stored rows under both, as of the last counting."""
    with warehouse.read() as connection:
        portal, counted = stored_portal(connection), last_counted(connection)
    at = counted.as_of if counted else now
    old, new = (counts_under(portal, rules, before[0], at) for rules, _ in (before, after))
    requirements = (before[1].tier_requirements, after[1].tier_requirements)
    changed = changed_rules(before[0], after[0])
    from_table = "category_rules" in changed and bool(portal.category_rules)
    seen = {*SEEN_IN_STORED_ROWS} - ({"category_rules"} if from_table else set())
    named = changed + (() if requirements[0] == requirements[1] else ("reports.tier_requirements",))
    return Change(
        at,
        named,
        tuple(each for each in changed if each not in seen),
        from_table,
        partner_moves(portal, old, new, requirements),
        category_moves(portal, before[0], after[0]),
    )


def _tables(found: Change) -> list[Table]:
    partners = [
        {
            "partner": each.name,
            "tier": each.tier,
            "before": each.npcu_before,
            "after": each.npcu_after,
            "change": each.change,
            "standing": each.standing_after
            if each.standing_before == each.standing_after
            else f"{each.standing_before} -> {each.standing_after}",
        }
        for each in found.partners
    ]
    categories = [{"certification": each.name, "before": each.before, "after": each.after} for each in found.categories]
    return [
        Table("partners", ("partner", "tier", "before", "after", "change", "standing"), partners),
        Table("certifications", ("certification", "before", "after"), categories),
    ]


def _lines(found: Change) -> Iterator[str]:
    if not found.changed:
        yield "The rules are the same."
        return
    yield f"Changed: {', '.join(found.changed)}"
    yield f"Counted from the stored rows, as of {found.at:%Y-%m-%d %H:%M:%S} UTC:"
    standing = sum(each.standing_before != each.standing_after for each in found.partners)
    rise, fall = (sum(each.change * sign > 0 for each in found.partners) for sign in (1, -1))
    yield f"Partners with more NPCU: {rise:,}, with less: {fall:,}, with another standing: {standing:,}"
    yield f"Total NPCU: {sum(each.change for each in found.partners):+,}"
    yield f"Certifications that change category: {len(found.categories):,}"
    if found.unseen:
        yield f"Not seen in stored rows, shows at the next {CHAIN}: {', '.join(found.unseen)}"
        if found.categories_from_table:
            yield f"category_rules: the table {_TABLE} has rows and wins over the file"


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {each}" for key, each in value.items())
    if isinstance(value, tuple):
        return ", ".join(
            f"{each.pattern} -> {each.category} ({each.priority})" if isinstance(each, CategoryRule) else str(each)
            for each in value
        )
    return str(value)


def _shortened(text: str) -> str:
    return visible(text if len(text) <= _VALUE_WIDTH else f"{text[:_VALUE_WIDTH]}… (--json has all)")
