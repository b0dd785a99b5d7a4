"""Checks of leads and reports: leads are there and belong to partners, and everybody who should get a report got it."""

from __future__ import annotations

from collections.abc import Iterable

from lms_assets.checks.base import Look, check, present, warning
from lms_assets.domain.counting.report_facts import executives_without_reports, managers_without_reports
from lms_assets.domain.safety.check_results import CheckResult, none_of
from lms_assets.domain.schedule import CHAIN
from lms_assets.reports.delivery.message import UnusableAddress, ascii_address
from lms_assets.warehouse.reading.reports import account_owners, executives, managers
from lms_assets.warehouse.results.counts import leads_of_unknown_partners

RUN_IT = "Run leads_full; if there are none at the source either, no partner was given a lead."
CORRECT = "Correct their rows in {table}, then lms-assets run weekly_reports: nobody gets a report of this week twice."


def leads_belong_to_known_partners(look: Look) -> CheckResult:
    """Every lead's account is a partner of ours."""
    count = leads_of_unknown_partners(look.connection)
    if not count:
        return CheckResult(True, "Every lead belongs to a partner", 0)
    remedy = f"They count for nobody. Their accounts are left out by the rules, or come with the next {CHAIN}."
    return CheckResult(False, f"leads of accounts that are no partner: {count:,}", count, remedy=remedy)


def _address_problem(address: str) -> str | None:
    if not address:
        return "is empty"
    try:
        ascii_address(address)
    except UnusableAddress as error:
        return str(error)
    return None


def account_managers_are_reached(look: Look) -> CheckResult:
    """No account manager is left without a report."""
    everybody, owners = managers(look.connection, with_address=False), account_owners(look.connection)
    found = managers_without_reports(everybody, owners, _address_problem)
    return _result(look, "pam_weekly_report", "partner_managers", found)


def executives_are_all_reached(look: Look) -> CheckResult:
    """No recipient is left without the report."""
    found = executives_without_reports(executives(look.connection, with_address=False), _address_problem)
    return _result(look, "executive_weekly_report", "executive_report_recipients", found)


def _result(look: Look, asset: str, table: str, unreachable: Iterable[tuple[str, str]]) -> CheckResult:
    why = {each.entity_id: each.reason for each in look.failures(asset)} | dict(unreachable)
    said = [f"{reference}: {reason}" for reference, reason in why.items()]
    return none_of(said, "people who do not get this report", CORRECT.format(table=table))


CHECKS = (
    present("leads", "leads", remedy=RUN_IT, text="There are leads of partners.", warning=True),
    warning("leads", leads_belong_to_known_partners),
    check("pam_weekly_report", account_managers_are_reached),
    check("executive_weekly_report", executives_are_all_reached),
)
