"""Tier 5: what people read on Mondays. `pam_weekly_report`, `executive_weekly_report`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from typing import Any

import dagster as dg

from lms_assets.assets.define import asset_of
from lms_assets.assets.report_desk import ReportDesk
from lms_assets.resources import Connections


@asset_of("pam_weekly_report", table="email_log")
def pam_weekly_report(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Send each account manager the week's report about their partners, or write it to files without a mail server."""
    return ReportDesk(context, lms, "pam_weekly_report").deliver_to_managers()


@asset_of("executive_weekly_report", table="email_log")
def executive_weekly_report(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Send the executives the week's roll-up, or write it to files without a mail server."""
    return ReportDesk(context, lms, "executive_weekly_report").deliver_to_executives()
