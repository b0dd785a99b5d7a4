"""Counting without a chain, of what a warehouse holds, as of any instant; no run may take one that is long past."""

from __future__ import annotations

from datetime import datetime

from lms_assets.assets.tier_4_aggregation_and_push.certifications import read_ledger_plan
from lms_assets.assets.tier_4_aggregation_and_push.counts import read_count_plan, write_count_plan
from lms_assets.domain.rules import Rules
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.foundation import partner_names
from lms_assets.warehouse.results.ledger import write_ledger


def judge_as_of(warehouse: Warehouse, at: datetime, now: datetime | None = None) -> None:
    """What the asset `partner_certifications` does."""
    with warehouse.read() as connection:
        plan = read_ledger_plan(connection, Rules(), at, now or at)
    warehouse.in_transaction(lambda connection: write_ledger(connection, plan, now=now or at))


def count_as_of(warehouse: Warehouse, at: datetime, now: datetime | None = None) -> None:
    """What the assets `partner_certifications` and `partner_cert_counts` do."""
    judge_as_of(warehouse, at, now)
    with warehouse.read() as connection:
        plan = read_count_plan(connection, partner_names(connection), Rules())
    warehouse.in_transaction(lambda connection: write_count_plan(connection, plan, Rules(), now or at))
