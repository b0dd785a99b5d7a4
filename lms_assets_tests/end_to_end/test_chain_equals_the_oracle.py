"""The whole chain, over HTTP and into a real database, says what the oracle says: ten worlds, at their expiries.

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
from lms_assets_tests.harness.chain import NOW, ChainRig
from lms_assets_tests.oracle import expected_at_each
from lms_assets_tests.oracle.stored import differences_in_partners

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in ("sqlite", "mariadb") for seed in range(1, 11)])
def test_every_partner_counts_what_the_oracle_counts(
    kind: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
):
    config = SandboxConfig(seed=seed, scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)
    url = request.getfixturevalue("ready_mariadb_url") if kind == "mariadb" else None
    with running_sandbox(config) as sandbox:
        rig = ChainRig(tmp_path, sandbox, url)
        try:
            first = rig.run()
            assert first.success, first.errors
            assert differences(rig) == []
            wrong = {at: lines for at in _instants(rig) if (lines := _wrong_at(rig, at))}
            assert not wrong
        finally:
            rig.close()


def _instants(rig: ChainRig) -> list[datetime]:
    """The instants around two expiries near the chain's start, and one long after."""
    return boundaries(rig.sandbox.world.state(), NOW, 2)


def _wrong_at(rig: ChainRig, at: datetime) -> list[str]:
    """Counted as of an instant that no run may take: it is long past, or to come."""
    step: Any = SimpleNamespace(warehouse=rig.warehouse, rules=Rules(), now=rig.now)
    rig.warehouse.in_transaction(Counting(step, at).write)
    right = expected_at_each(rig.sandbox.world, [at], links_taken_over(rig))[at]
    return differences_in_partners(rig.rows("partners"), right)
