"""Checks of tier 5: everybody who should get a report can get one, and got it."""

from __future__ import annotations

from collections.abc import Iterable

from lms_assets.checks.base import Look, checks_of
from lms_assets.domain.operations.report_recipients import executives_without_reports, managers_without_reports
from lms_assets.domain.safety.check_results import CheckResult, none_of
from lms_assets.reports.delivery.message import UnusableAddress, ascii_address
from lms_assets.warehouse.reading.reports import account_owners, executives, managers

CORRECT = "Correct their rows in {table}, then lms-assets run weekly_reports: nobody gets a report of this week twice."


def _address_problem(address: str) -> str | None:
    if not address:
        return "is empty"
    try:
        ascii_address(address)
    except UnusableAddress as error:
        return str(error)
    return None


def _managers(look: Look) -> CheckResult:
    everybody, owners = managers(look.connection, with_address=False), account_owners(look.connection)
    found = managers_without_reports(everybody, owners, _address_problem)
    return _result(look, "pam_weekly_report", "partner_managers", found)


def _executives(look: Look) -> CheckResult:
    found = executives_without_reports(executives(look.connection, with_address=False), _address_problem)
    return _result(look, "executive_weekly_report", "executive_report_recipients", found)


def _result(look: Look, asset: str, table: str, unreachable: Iterable[str]) -> CheckResult:
    said = list(unreachable)
    known = {each.partition(":")[0] for each in said}
    said += [f"{each.entity_id}: {each.reason}" for each in look.failures(asset) if each.entity_id not in known]
    return none_of(said, "people who do not get this report", CORRECT.format(table=table))


TIER_5_CHECKS = [
    checks_of("pam_weekly_report", {"account_managers_are_reached": _managers}),
    checks_of("executive_weekly_report", {"executives_are_all_reached": _executives}),
]
