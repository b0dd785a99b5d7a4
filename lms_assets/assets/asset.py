"""How an asset is made from its line in the lineage: one decorator, so that no asset states its spec twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg

from lms_assets.lineage import POOLS, SPECS, STEP_RETRIES
from lms_assets.warehouse.schema.descriptions import table_columns


def asset_of(
    key: str, *, table: str, backfill_policy: dg.BackfillPolicy | None = None
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Turn a function into the asset `key` of the lineage, with its pool, retries and the columns of `table`."""
    spec = SPECS[key].merge_attributes(
        metadata={"dagster/column_schema": _schema(table), "dagster/table_name": table},
    )

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return dg.multi_asset(
            name=key,
            specs=[spec],
            pool=POOLS.get(key),
            retry_policy=STEP_RETRIES,
            backfill_policy=backfill_policy,
        )(function)

    return decorate


def _schema(table: str) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=column.type,
                description=column.note,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.unique),
                tags={"pii": ""} if column.personal else {},
            )
            for column in table_columns(table)
        ]
    )
