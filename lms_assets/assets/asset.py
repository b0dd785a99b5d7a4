"""How an asset is made from its entry in the registry: one decorator, so that no asset states a fact twice."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg

import lms_assets
from lms_assets.asset_specs import SPECS, STEP_RETRIES
from lms_assets.assets.column_lineage import COLUMN_LINEAGE
from lms_assets.lineage import ENTRIES
from lms_assets.settings import page_link
from lms_assets.warehouse.schema.descriptions import table_columns


def asset_of(key: str) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The asset `key` as the registry describes it, with its pool, its retries and the columns of its table."""
    entry = ENTRIES[key]
    shown: dict[str, Any] = {"dagster/column_schema": _schema(entry.table), "dagster/table_name": entry.table}
    if key in COLUMN_LINEAGE:
        shown["dagster/column_lineage"] = COLUMN_LINEAGE[key]
    # With `dg.asset` each part of the spec would have to be handed over, and its `backfill_policy` is a beta parameter.
    made = dg.multi_asset(
        name=key,
        specs=[SPECS[key].merge_attributes(metadata=shown)],
        pool=entry.pool,
        retry_policy=STEP_RETRIES,
        # A backfill is one run over its weeks: the step reads people, not weeks.
        backfill_policy=dg.BackfillPolicy.single_run() if entry.weekly else None,
    )

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        # The links to the source are a beta feature, of which each import would warn.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            (linked,) = _linked_to_git(dg.with_source_code_references([made(function)]))
        assert isinstance(linked, dg.AssetsDefinition)
        return linked

    return decorate


def _linked_to_git(assets: Sequence[Any]) -> Sequence[Any]:
    """Links to this version's source in the repository, where that is known; else to the file on this machine."""
    url = page_link(os.environ, "LMS_GIT_URL")
    if not url:
        return assets
    return dg.link_code_references_to_git(
        assets,
        git_url=url,
        git_branch=f"v{version('lms-assets')}",
        platform="gitlab" if "gitlab" in url else "github",
        file_path_mapping=dg.AnchorBasedFilePathMapping(Path(lms_assets.__file__), "lms_assets/__init__.py"),
    )


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
