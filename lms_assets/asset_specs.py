"""The registry's entries as Dagster sees them: specs, freshness policies, partitions and retries."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import dagster as dg

from lms_assets.domain.operations.incident import runbook
from lms_assets.domain.schedule import Cadence
from lms_assets.lineage import ASSETS
from lms_assets.registry import OWNER, Asset
from lms_assets.settings import page_link

# Mondays, the running week included. Completions before it have expired (rules: certification_months).
WEEKLY = dg.WeeklyPartitionsDefinition(start_date="2024-01-01", day_offset=1, end_offset=1)

# Waits of about 15 and 45 seconds: the clients have retried each call already, so this is for what takes longer.
STEP_RETRIES = dg.RetryPolicy(max_retries=2, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def runbook_of(section: str) -> dict[str, dg.MetadataValue[Any]]:
    """Where the runbook says what an asset or a check means, where to look and what to do: a link if it is served."""
    docs_url = page_link(os.environ, "LMS_DOCS_URL")
    where = runbook(section, docs_url)
    return {"runbook": dg.MetadataValue.url(where) if docs_url else dg.MetadataValue.path(where)}


# One for each kind of record that a vendor has, so that the UI shows which asset reads what.
SOURCES = tuple(
    dg.AssetSpec(
        dg.AssetKey([vendor, name]), group_name="vendors", kinds={"api"}, description=text, metadata=runbook_of(vendor)
    )
    for vendor, name, text in (
        ("northpass", "courses", "Courses of the LMS, archived versions included."),
        ("northpass", "course_properties", "What the LMS's owners note of a course: NPCU points, category."),
        ("northpass", "people", "Accounts of the LMS."),
        ("northpass", "groups", "Groups of the LMS."),
        ("northpass", "memberships", "Who is in which group of the LMS."),
        ("northpass", "transcripts", "What each person enrolled in and completed."),
        ("impartner", "Account", "Partner accounts of the CRM. The counts are written back to them."),
        ("impartner", "User", "Partner people of the CRM."),
        ("impartner", "Lead", "Leads of the CRM."),
    )
)


def spec_of(asset: Asset) -> dg.AssetSpec:
    """The asset as Dagster shows it."""
    return dg.AssetSpec(
        asset.key,
        group_name=asset.tier,
        deps=[dg.AssetKey(dep.split("/")) for dep in asset.deps],
        description=asset.description,
        owners=[OWNER],
        kinds=set(asset.kinds),
        tags={"pii": "yes" if asset.personal_data else "no"},
        freshness_policy=freshness_of(asset.cadence) if asset.cadence else None,
        partitions_def=WEEKLY if asset.weekly else None,
        code_version=asset.code_version,
        metadata=runbook_of(asset.key),
    )


@cache
def freshness_of(cadence: Cadence) -> dg.FreshnessPolicy:
    """The policy by which the UI shows an asset as overdue at the moment at which `find_overdue` reports it.

    One for all assets of a cadence: Dagster computes the next thousand ticks to check it.
    """
    if cadence.window is not None:
        return dg.FreshnessPolicy.time_window(
            fail_window=cadence.window, warn_window=cadence.window - timedelta(hours=1)
        )
    assert cadence.line is not None
    grace = cadence.grace // timedelta(hours=1)
    deadline = replace(cadence.line, hours=tuple(hour + grace for hour in cadence.line.hours))
    return dg.FreshnessPolicy.cron(deadline_cron=deadline.cron, lower_bound_delta=cadence.grace, timezone="UTC")


SPECS = {asset.key: spec_of(asset) for asset in ASSETS}
