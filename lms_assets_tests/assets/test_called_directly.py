"""Each asset is a function that a test can call: `courses(dg.build_asset_context(), northpass=…, warehouse=…)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lms_assets.asset_specs import WEEKLY
from lms_assets.definitions import defs
from lms_assets.lineage import ENTRIES
from lms_assets.resources import RESOURCES
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.sandbox import running_sandbox
from lms_assets_tests.harness.chain import QUICK_RESOURCES, SMALL, ChainHarness


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory):
    with running_sandbox(SMALL) as sandbox:
        harness = ChainHarness(Path(tmp_path_factory.mktemp("called")), sandbox)
        yield harness
        harness.close()


def _asset(key: str) -> dg.AssetsDefinition:
    return next(each for each in defs.assets or [] if getattr(each, "keys", ()) == {dg.AssetKey(key)})


def test_every_asset_can_be_called_with_a_context_and_the_systems_that_it_uses(harness: ChainHarness):
    """In the order of the registry, so that each finds what it is made of; what each gives is a materialisation."""
    given: dict[str, Any] = {}
    weeks = WEEKLY.get_partition_keys(current_time=harness.now)
    with harness.surroundings():
        for key, entry in ENTRIES.items():
            asset = _asset(key)
            names = asset.required_resource_keys - {"io_manager"}
            context = dg.build_asset_context(
                partition_key_range=dg.PartitionKeyRange(weeks[0], weeks[-1]) if entry.weekly else None,
                run_tags={AS_OF_TAG: harness.now.isoformat()},
            )
            result = asset(context, **{name: {**RESOURCES, **QUICK_RESOURCES}[name] for name in names})
            assert isinstance(result, dg.MaterializeResult), key
            metadata = result.metadata or {}
            given[key] = metadata["dagster/row_count"]
            assert metadata["dagster/table_name"] == f"main.{entry.table}"
    assert given["enrollments"] == len(harness.rows("lms_enrollments")) > 0
    assert given["leads"] == len(harness.rows("leads")) > 0


def test_each_asset_asks_for_the_systems_that_it_uses_and_no_other():
    """So the page of a resource in the UI lists its users."""
    uses = {key: _asset(key).required_resource_keys - {"io_manager"} for key in ENTRIES}
    assert uses["courses"] == {"northpass", "warehouse"}
    assert uses["pushed_partner_cert_counts"] == {"impartner", "warehouse"}
    assert uses["pam_weekly_report"] == {"mailer", "warehouse"}
    wrong = [key for key, entry in ENTRIES.items() if entry.pool and entry.pool.removesuffix("_api") not in uses[key]]
    assert not wrong, "they wait for the pool of a vendor that they do not ask"
