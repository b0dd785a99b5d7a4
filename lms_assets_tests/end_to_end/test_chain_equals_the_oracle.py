"""The whole chain, over HTTP and into a real database, says what the oracle says: vendor states, at their expiries.

The rules alone are compared elsewhere; here everything between vendor and portal has to be right as well.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from lms_assets.domain.counting.certifications import Assessed, Verdict
from lms_assets.domain.rules import Rules
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS
from lms_assets.warehouse.results.ledger import ledger_counts, ledger_items
from lms_assets_tests.end_to_end.test_rules_equal_the_oracle import boundaries
from lms_assets_tests.harness.agreement import differences, links_taken_over
from lms_assets_tests.harness.chain import NOW, SMALL, ChainHarness
from lms_assets_tests.harness.checkpoints import after_first_chain
from lms_assets_tests.harness.counting import count_as_of
from lms_assets_tests.oracle import Reason, expected_at_each, reasons
from lms_assets_tests.oracle.table_differences import differences_in_partners

pytestmark = pytest.mark.slow


# Of one on MariaDB, faults/test_database.py is the smaller relative: a whole chain on it, compared in the same way.
STATES = (("sqlite", 1),)
MORE_STATES = [(kind, seed) for kind in ("sqlite", "mariadb") for seed in range(1, 11) if (kind, seed) not in STATES]


@pytest.mark.parametrize(
    ("kind", "seed"), [*STATES, *(pytest.param(*vendor_state, marks=pytest.mark.long) for vendor_state in MORE_STATES)]
)
def test_every_partner_counts_what_the_oracle_counts(
    kind: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
):
    config = SandboxConfig(seed=seed, scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)
    url = request.getfixturevalue("ready_mariadb_url") if kind == "mariadb" else None
    with running_sandbox(config) as sandbox:
        harness = ChainHarness(tmp_path, sandbox, url)
        try:
            if kind == "sqlite" and config == SMALL:
                after_first_chain().restore(harness)
            else:
                first = harness.run()
                assert first.success, first.errors
            assert differences(harness) == []
            assert _wrong_reasons(harness) == []
            instants = _instants(harness)
            wrong = {at: lines for at in instants if (lines := _wrong_at(harness, at))}
            assert not wrong
            wrong = {at: lines for at in instants if (lines := _remembered_wrongly(harness, at))}
            assert not wrong, "the ledger answers as of each of these countings"
        finally:
            harness.close()


def _instants(harness: ChainHarness) -> list[datetime]:
    """The instants around two expiries near the chain's start, and one long after."""
    return boundaries(harness.sandbox.vendor_state.state(), NOW, 2)


def _wrong_at(harness: ChainHarness, at: datetime) -> list[str]:
    """Counted as of an instant that no run may take: it is long past, or to come."""
    count_as_of(harness.warehouse, at, harness.now)
    right = expected_at_each(harness.sandbox.vendor_state, [at], links_taken_over(harness))[at]
    return differences_in_partners(harness.rows("partners"), right)


def _remembered_wrongly(harness: ChainHarness, at: datetime) -> list[str]:
    """The partners' rows with the sums over the ledger as of the instant instead of the stored counts."""
    rows = harness.rows("partners")
    with harness.warehouse.read() as connection:
        sums = ledger_counts(connection, [row["id"] for row in rows], Rules().gtm_category, at=at)
    for row in rows:
        found = sums[row["id"]]
        row |= {column: found.by_category.get(name, 0) for name, column in CATEGORY_COLUMNS.items()}
        row |= {"total_npcu": found.total_npcu, "has_gtm_certification": found.has_gtm_certification}
    right = expected_at_each(harness.sandbox.vendor_state, [at], links_taken_over(harness))[at]
    return differences_in_partners(rows, right)


# The oracle's words for why a certification does not count.
WORDS = {
    Verdict.NOT_COMPLETED: "not completed",
    Verdict.NO_COMPLETION_DATE: "no completion date",
    Verdict.COMPLETED_LATER: "completed later",
    Verdict.EXPIRED: "expired",
}


def _wrong_reasons(harness: ChainHarness) -> list[str]:
    """Each partner's rows of the ledger against the oracle's transcript rows with their reasons."""
    accounts = {row["id"]: row["impartner_id"] for row in harness.rows("partners") if row["is_active"]}
    with harness.warehouse.read() as connection:
        items = list(ledger_items(connection))
    found: list[str] = []
    for row_id, account in accounts.items():
        right: dict[tuple[str, str], list[Reason]] = {}
        for reason in reasons(harness.sandbox.vendor_state, harness.now, account, links_taken_over(harness)):
            if reason.points and reason.why_not != "not a course":
                right.setdefault((reason.user_id, reason.course_id), []).append(reason)
        ours = {
            (item.user_id, item.course_id): item
            for item in items
            if item.partner_id == row_id and item.verdict is not Verdict.NOT_A_PARTNER_USER
        }
        people = {user_id for user_id, _ in right}
        found += [f"{account}: {key} is listed" for key in ours if key not in right and key[0] in people]
        found += [f"{account}: {key} is missing" for key in right if key not in ours]
        found += [f"{account}: {ours[key]}" for key in right if key in ours and not _same(ours[key], right[key])]
    return found


def _same(item: Assessed, right: list[Reason]) -> bool:
    """Whether the deciding enrollment has the oracle's reason, and counts when any of the course's attempts does."""
    (why_not,) = {each.why_not for each in right if each.transcript_id == item.enrollment_id}
    held = any(each.why_not is None for each in right)
    return item.counted == held and why_not == (None if item.counted else WORDS[item.verdict])
