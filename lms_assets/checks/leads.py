"""Checks of leads: they are there, recent, readable and belong to partners."""

from __future__ import annotations

from lms_assets.checks.base import Look, are_readable, checks_of, is_recent, listing_was_complete, were_all_stored
from lms_assets.domain.operations.schedule import CHAIN
from lms_assets.domain.safety.check_results import CheckResult, at_least
from lms_assets.warehouse import reading
from lms_assets.warehouse.results.leads import leads_of_unknown_partners

RUN_IT = "Run leads_full; if there are none at the source either, no partner was given a lead."


def _present(look: Look) -> CheckResult:
    return at_least(reading.row_count(look.connection, "leads"), 1, "leads", RUN_IT)


def _of_known_partners(look: Look) -> CheckResult:
    count = leads_of_unknown_partners(look.connection)
    if not count:
        return CheckResult(True, "Every lead belongs to a partner", 0)
    remedy = f"They count for nobody. Their accounts are left out by the rules, or come with the next {CHAIN}."
    return CheckResult(False, f"leads of accounts that are no partner: {count:,}", count, remedy=remedy)


LEADS_CHECKS = [
    checks_of(
        "leads",
        {
            "leads_were_all_stored": were_all_stored("leads"),
            "leads_are_present": _present,
            "leads_are_recent": is_recent("leads"),
            "leads_listing_was_complete": listing_was_complete("leads"),
            "leads_are_all_readable": are_readable("leads"),
            "leads_belong_to_known_partners": _of_known_partners,
        },
    ),
]
