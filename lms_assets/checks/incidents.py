"""Open incidents, shown on the assets they concern as a failing check. Never part of a job: a sensor reports it."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b

import dagster as dg

from lms_assets.asset_specs import runbook_of
from lms_assets.domain.operations.incident import Incident
from lms_assets.domain.wording import as_markdown, as_text
from lms_assets.lineage import ENTRIES
from lms_assets.resources import WarehouseResource
from lms_assets.warehouse.bookkeeping.alerts import open_incidents

NO_INCIDENT = "no_incident_is_open"
# Incidents that concern no asset, a sensor that errs for example, are shown where everybody looks first.
FALLBACK = "courses"


def incident_evaluations(
    incidents: Iterable[Incident], shown: Mapping[str, str]
) -> tuple[list[dg.AssetCheckEvaluation], dict[str, str]]:
    """Evaluations for the assets whose incidents differ from what is shown, and what is shown then.

    Args:
        shown: asset to a digest of its incidents, as an earlier call gave it.
    """
    of_asset = _by_asset(incidents)
    digests = {asset: _digest(of_asset[asset]) for asset in ENTRIES}
    changed = [asset for asset in ENTRIES if shown.get(asset) != digests[asset]]
    return [_evaluation(asset, of_asset[asset]) for asset in changed], digests


def _by_asset(incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    found: dict[str, list[Incident]] = {asset: [] for asset in ENTRIES}
    for incident in incidents:
        assets = [asset for asset in incident.assets if asset in found] or [FALLBACK]
        for asset in assets:
            found[asset].append(incident)
    return found


def _digest(incidents: Iterable[Incident]) -> str:
    text = "|".join(sorted(f"{each.key} {each.opened_at}" for each in incidents))
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _evaluation(asset: str, incidents: list[Incident]) -> dg.AssetCheckEvaluation:
    result = incident_result(asset, incidents)
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name=NO_INCIDENT,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def incident_result(asset: str, incidents: Sequence[Incident]) -> dg.AssetCheckResult:
    """What the UI shows on an asset: its open incidents, quoted, since vendors' words are in them."""
    shown = "\n\n".join(
        f"**{as_markdown(each.what)}**\n\n"
        f"Since {each.opened_at or each.since:%Y-%m-%d %H:%M} UTC. {as_markdown(each.effect)}\n\n"
        f"What to do: {as_markdown(each.remedy)}"
        for each in incidents
    )
    named = "; ".join(as_text(each.what) for each in incidents)
    return dg.AssetCheckResult(
        passed=not incidents,
        asset_key=asset,
        check_name=NO_INCIDENT,
        severity=dg.AssetCheckSeverity.ERROR,
        description=named[:500] or "Nothing needs a person",
        metadata={"count": len(incidents)} | ({"incidents": dg.MetadataValue.md(shown[:8000])} if incidents else {}),
    )


@dg.multi_asset_check(
    name="open_incidents",
    specs=[
        dg.AssetCheckSpec(
            NO_INCIDENT,
            asset=asset,
            description="No incident that concerns this asset is open.",
            metadata=runbook_of(NO_INCIDENT),
        )
        for asset in ENTRIES
    ],
    can_subset=True,
)
def open_incidents_check(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    """The same on demand, when a person runs the check in the UI."""
    with warehouse.open() as database, database.read() as connection:
        of_asset = _by_asset(open_incidents(connection))
    for key in context.selected_asset_check_keys:
        asset = key.asset_key.to_user_string()
        yield incident_result(asset, of_asset[asset])
