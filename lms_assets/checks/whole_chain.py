"""The last step of a chain: did all of it come through? If not its run fails, so that the UI can go on with it."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Iterator

import dagster as dg

from lms_assets.asset_specs import runbook_of
from lms_assets.checks.base import Look
from lms_assets.checks.specs import CHAIN_IS_WHOLE, RESUME, degraded_by
from lms_assets.lineage import DAILY_FULL
from lms_assets.resources import WarehouseResource
from lms_assets.runs.tags import FINAL

PUSH = DAILY_FULL[-1]


@dg.multi_asset_check(
    name=CHAIN_IS_WHOLE,
    specs=[
        dg.AssetCheckSpec(
            CHAIN_IS_WHOLE,
            asset=PUSH,
            description="Every step of the last chain completed.",
            metadata=runbook_of(CHAIN_IS_WHOLE),
        )
    ],
)
def chain_is_whole(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    """Fail the run of a partial chain once everything that could be done is done.

    Raises:
        dagster.Failure: the chain is partial. Running it again by itself does not help.
    """
    rules = warehouse.rules()
    with warehouse.open() as database, database.read() as connection:
        found = degraded_by(Look(connection, rules, warehouse.now()), DAILY_FULL)
    said = "; ".join(f"{name}: {result.description}" for name, result in found.items())
    description = f"The chain is partial. {said}" if found else "Every step completed"
    yield dg.AssetCheckResult(
        passed=not found,
        asset_key=PUSH,
        check_name=CHAIN_IS_WHOLE,
        description=description,
        metadata={"what_to_do": RESUME} if found else {},
    )
    if found:
        context.log.warning(f"{description}. {RESUME}")
        raise dg.Failure(f"{description}. {RESUME}", metadata=FINAL, allow_retries=False)
