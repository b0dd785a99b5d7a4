"""The whole chain, over HTTP and into a real database, says what the oracle says: ten vendor states, at their expiries.

The rules alone are compared elsewhere; here everything between vendor and portal has to be right as well.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lms_assets.assets.tier_4_aggregation_and_push.counts import Counting
from lms_assets.domain.rules import Rules
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.end_to_end.test_rules_equal_the_oracle import boundaries
from lms_assets_tests.harness.agreement import differences, links_taken_over
from lms_assets_tests.harness.chain import NOW, ChainHarness
from lms_assets_tests.oracle import expected_at_each
from lms_assets_tests.oracle.table_differences import differences_in_partners

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in ("sqlite", "mariadb") for seed in range(1, 11)])
def test_every_partner_counts_what_the_oracle_counts(
    kind: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
):
    config = SandboxConfig(seed=seed, scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)
    url = request.getfixturevalue("ready_mariadb_url") if kind == "mariadb" else None
    with running_sandbox(config) as sandbox:
        harness = ChainHarness(tmp_path, sandbox, url)
        try:
            first = harness.run()
            assert first.success, first.errors
            assert differences(harness) == []
            wrong = {at: lines for at in _instants(harness) if (lines := _wrong_at(harness, at))}
            assert not wrong
        finally:
            harness.close()


def _instants(harness: ChainHarness) -> list[datetime]:
    """The instants around two expiries near the chain's start, and one long after."""
    return boundaries(harness.sandbox.vendor_state.state(), NOW, 2)


def _wrong_at(harness: ChainHarness, at: datetime) -> list[str]:
    """Counted as of an instant that no run may take: it is long past, or to come."""
    step: Any = SimpleNamespace(warehouse=harness.warehouse, rules=Rules(), now=harness.now)
    harness.warehouse.in_transaction(Counting(step, at).write)
    right = expected_at_each(harness.sandbox.vendor_state, [at], links_taken_over(harness))[at]
    return differences_in_partners(harness.rows("partners"), right)
