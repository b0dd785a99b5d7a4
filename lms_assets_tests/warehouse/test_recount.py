"""The recount notices every turned comparison of the counting rules, and shares nothing with them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lms_assets
from lms_assets.domain.safety.withheld import differing
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.enrollments import stored_enrollments
from lms_assets.warehouse.reading.foundation import course_facts, partner_activity
from lms_assets.warehouse.reading.people import contact_facts, group_facts, person_facts, stored_members
from lms_assets.warehouse.reading.recount import recount
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, count_columns
from lms_assets_tests.warehouse.recount_scenario import AT, store_scenario

PACKAGE = Path(lms_assets.__file__).parent
DECIDING = ("domain/counting/certifications.py", "domain/linking/partner_users.py", "domain/counting/ledger.py")
"""Every module that decides about a count: what counts, whose people are whose, which attempt stands in the ledger."""
TURNED: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
_REASON_ONLY = "which reason is shown of what does not count"
EQUIVALENT = {
    "held_period: end > enrollment.completed_at -> end >= enrollment.completed_at": "a period without length",
    "_by_person_and_course: len(rows) > 1 -> len(rows) >= 1": "takes out what is given twice; ids are unique",
    "_by_person_and_course: len(rows) > 1 -> len(rows) <= 1": "the same",
    "_judge: course.npcu > 0 -> course.npcu >= 0": "a course without NPCU is left out by the verdict below",
    "_judge: course.npcu <= 0 -> course.npcu < 0": "nothing of a course without NPCU was held above",
    "_judge: course is None -> course is not None": _REASON_ONLY,
    "_judge: each.status != 'completed' -> each.status == 'completed'": _REASON_ONLY,
    "_judge: verdict is Verdict.SAME_COURSE -> verdict is not Verdict.SAME_COURSE": _REASON_ONLY,
    "_judge: each.completed_at > at -> each.completed_at >= at": _REASON_ONLY,
    "_judge: each.completed_at > at -> each.completed_at <= at": _REASON_ONLY,
    "partner_users: contact.further is None -> contact.further is not None": "the name of the way only",
    "people_of_several_partners: each.obstacle is None -> each.obstacle is not None": "a report, no count",
    "people_of_several_partners: len(found) > 1 -> len(found) >= 1": "a report, no count",
    "people_of_several_partners: len(found) > 1 -> len(found) <= 1": "a report, no count",
    "_obstacle: partner_is_active is False -> partner_is_active is not False": _REASON_ONLY,
}
"""Turned comparisons that change no count, and why."""


@pytest.fixture
def scenario(warehouse: Warehouse) -> Warehouse:
    with warehouse.transaction() as connection:
        store_scenario(connection)
    return warehouse


def turned(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Each comparison turned by itself: what it was and what it is now, and the module with it."""
    found = sum(len(node.ops) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare))
    for number in range(found):
        for choice in (0, 1):
            tree = ast.parse(source)
            places = [
                (function, node, place)
                for function in ast.walk(tree)
                if isinstance(function, ast.FunctionDef)
                for node in ast.walk(function)
                if isinstance(node, ast.Compare)
                for place in range(len(node.ops))
            ]
            assert len(places) == found, "a comparison outside a function, or in one inside another"
            function, node, place = places[number]
            options = TURNED[type(node.ops[place])]
            if choice < len(options):
                was = ast.unparse(node)
                node.ops[place] = options[choice]()
                yield f"{function.name}: {was} -> {ast.unparse(node)}", tree


def run(tree: ast.Module, name: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(tree, name, "exec"), module.__dict__)
    return module


def facts(warehouse: Warehouse) -> tuple[Any, ...]:
    """What counting is given."""
    with warehouse.read() as connection:
        people = (
            partner_activity(connection),
            person_facts(connection),
            group_facts(connection),
            list(stored_members(connection)),
            contact_facts(connection),
        )
        return people, list(stored_enrollments(connection)), course_facts(connection)


def counted(given: tuple[Any, ...], modules: Mapping[str, Any]) -> dict[int, Mapping[str, int]]:
    """The counts of every active partner, by these modules instead of the product's."""
    certifications, linking, ledger = (modules[name] for name in DECIDING)
    people, attempts, courses = given
    assessed = certifications.assess(linking.partner_users(*people), attempts, courses, at=AT)
    counts = certifications.count(ledger.deciding(assessed), [key for key, active in people[0].items() if active])
    return {key: count_columns(each) for key, each in counts.items()}


def test_what_decides_about_a_count_imports_no_other_rule_of_counting_or_linking():
    """A rule that moves to another module is turned there, too."""
    assets = ("assets/tier_4_aggregation_and_push/certifications.py", "assets/tier_4_aggregation_and_push/counts.py")
    for name in (*DECIDING, *assets):
        for node in ast.walk(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))):
            module = (node.module or "").removeprefix("lms_assets.") if isinstance(node, ast.ImportFrom) else ""
            if module.startswith(("domain.counting", "domain.linking")):
                # What is one certification: a key, no comparison.
                taken = {each.name for each in node.names} - {"key_of"}
                assert not taken or f"{module.replace('.', '/')}.py" in DECIDING


def test_every_turned_comparison_of_the_counting_rules_is_noticed(scenario: Warehouse):
    with scenario.read() as connection:
        right = recount(connection, AT, months=24, columns=CATEGORY_COLUMNS, gtm_category="go_to_market").counts
    given = facts(scenario)
    sources = {name: (PACKAGE / name).read_text(encoding="utf-8") for name in DECIDING}
    modules = {
        name: run(ast.parse(source), f"as_it_is_{number}") for number, (name, source) in enumerate(sources.items())
    }
    assert differing(counted(given, modules), right) == ()
    unnoticed, number = [], 0
    for name, source in sources.items():
        for number, (said, tree) in enumerate(turned(source), 1):
            try:
                found = differing(counted(given, {**modules, name: run(tree, f"turned_{number}")}), right)
            except (AttributeError, KeyError, TypeError):
                continue  # It counts nothing at all.
            if not found:
                unnoticed.append(said)
        assert number > 1
    assert unnoticed == list(EQUIVALENT)


def test_dates_that_are_none_and_the_end_of_time_are_read_alike(scenario: Warehouse):
    """MySQL's 0000-00-00 in an adopted portal is no expiry, so the certification lapses after its months."""
    with scenario.transaction() as connection:
        none = "NULL" if scenario.is_sqlite else "'0000-00-00 00:00:00'"
        connection.exec_driver_sql(f"UPDATE lms_enrollments SET expires_at = {none} WHERE course_id IN ('ce', 'odd')")
        connection.exec_driver_sql(
            "UPDATE lms_enrollments SET expires_at = '9999-12-31 23:59:59' WHERE course_id = 'gtm'"
        )
    modules = {name: run(ast.parse((PACKAGE / name).read_text(encoding="utf-8")), f"plain_{name}") for name in DECIDING}
    with scenario.read() as connection:
        right = recount(connection, AT, months=24, columns=CATEGORY_COLUMNS, gtm_category="go_to_market").counts
    assert differing(counted(facts(scenario), modules), right) == ()
    assert right[5]["cert_count_go_to_market"] == 1
    assert (right[2]["cert_count_nintex_ce"], right[5]["cert_count_nintex_ce"]) == (0, 0)


def test_empty_tables_count_as_nothing(warehouse: Warehouse):
    with warehouse.read() as connection:
        assert recount(connection, AT, months=24, columns=CATEGORY_COLUMNS, gtm_category="go_to_market").counts == {}


def test_pandas_is_imported_only_where_something_is_recounted():
    """No command's start and no step's: pandas takes 0.3 seconds and 45 MB."""
    script = (
        "import sys, lms_assets.cli, lms_assets.definitions, lms_assets.console.commands.status;"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
