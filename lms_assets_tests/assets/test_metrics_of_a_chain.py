"""After one chain every metric has a value, and those of a sync are the ones that its log and its run show."""

from __future__ import annotations

from datetime import UTC, datetime

from lms_assets.console.installation.metrics import METRICS, Families, read_metrics
from lms_assets.domain.rules import Rules
from lms_assets.lineage import DAILY_FULL
from lms_assets_tests.harness.chain import ChainHarness


def test_every_metric_has_a_value_after_a_chain(synced: ChainHarness):
    result = synced.run(assets=("courses",), alone=True)
    assert result.success, result.errors
    families = Families()
    with synced.warehouse.read() as connection:
        read_metrics(connection, Rules(), families, datetime.now(UTC))
    told = {each.name.removeprefix("lms_assets_"): each.samples for each in families.all()}
    assert set(told) == set(METRICS) - {"warehouse_up", *OF_THE_CHAIN_LOG}
    synced_assets = {each.labels["asset"] for each in told["asset_last_success_timestamp_seconds"]}
    assert set(DAILY_FULL) <= synced_assets
    (retries,) = [each.value for each in told["asset_last_api_retries"] if each.labels["asset"] == "courses"]
    assert retries == result.metadata["courses"]["api_retries"]


# A chain in process, without a home of its own, leaves no row in task_chain_logs.
OF_THE_CHAIN_LOG = {
    "chain_last_success_timestamp_seconds",
    "chain_last_duration_seconds",
    "chain_last_status",
}
