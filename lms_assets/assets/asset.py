"""How an asset is made from its entry in the registry: one decorator, so that no asset states a fact twice.

With it goes where the numbers that the CRM is sent come from: which columns, and which fields of the vendors.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg

import lms_assets
from lms_assets.asset_specs import SPECS, STEP_RETRIES
from lms_assets.domain.rules import Rules
from lms_assets.lineage import ENTRIES
from lms_assets.settings import page_link
from lms_assets.warehouse.schema.descriptions import table_columns


def _from(**columns: tuple[str, ...]) -> dg.TableColumnLineage:
    """Each column with what it is made of, as `asset.column`; a field of a vendor's as `northpass/courses.name`."""
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=dg.AssetKey(asset.split("/")), column_name=name)
                for asset, _, name in (source.partition(".") for source in sources)
            ]
            for column, sources in columns.items()
        }
    )


_COUNTED = ("partner_certifications.category", "partner_certifications.counted")
_SENT = {
    **{field: f"cert_count_{category}" for category, field in Rules().crm_count_fields.items()},
    Rules().crm_total_field: "total_npcu",
}

COLUMN_LINEAGE = {
    "courses": _from(
        id=("northpass/courses.id",), name=("northpass/courses.name",), status=("northpass/courses.status",)
    ),
    "course_npcu": _from(
        npcu_value=("northpass/course_properties.npcu",),
        certification_category=("courses.name",),
    ),
    "partners": _from(impartner_id=("impartner/Account.Id",), account_name=("impartner/Account.Name",)),
    "contacts": _from(email=("impartner/User.Email",), partner_id=("impartner/User.AccountId", "partners.id")),
    "users": _from(id=("northpass/people.id",), email=("northpass/people.email",)),
    "groups": _from(id=("northpass/groups.id",), partner_id=("northpass/groups.name", "partners.account_name")),
    "memberships": _from(
        group_id=("northpass/memberships.group", "groups.id"), user_id=("northpass/memberships.person", "users.id")
    ),
    "enrollments": _from(
        course_id=("northpass/transcripts.resource_id", "courses.id"),
        user_id=("users.id",),
        completed_at=("northpass/transcripts.completed_at",),
        expires_at=("northpass/transcripts.expires_at",),
    ),
    "partner_certifications": _from(
        npcu=("course_npcu.npcu_value",),
        category=("course_npcu.certification_category",),
        completed_at=("enrollments.completed_at",),
        expires_at=("enrollments.expires_at",),
        partner_id=("groups.partner_id", "memberships.group_id", "contacts.partner_id"),
    ),
    "partner_cert_counts": _from(
        total_npcu=("partner_certifications.npcu", "partner_certifications.counted"),
        **{f"cert_count_{category}": _COUNTED for category in Rules().categories},
    ),
    "pushed_partner_cert_counts": _from(
        **{field: (f"partner_cert_counts.{column}",) for field, column in _SENT.items()}
    ),
}


def asset_of(key: str) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The asset `key` as the registry describes it, with its pool, its retries and the columns of its table."""
    entry = ENTRIES[key]
    shown: dict[str, Any] = {"dagster/column_schema": _schema(entry.table), "dagster/table_name": entry.table}
    if key in COLUMN_LINEAGE:
        shown["dagster/column_lineage"] = COLUMN_LINEAGE[key]

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        spec = SPECS[key].merge_attributes(metadata={**shown, "dagster/code_references": _source_of(function)})
        # With `dg.asset` each part of the spec would have to be handed over, and its `backfill_policy` is a beta
        # parameter.
        decorated = dg.multi_asset(
            name=key,
            specs=[spec],
            pool=entry.pool,
            retry_policy=STEP_RETRIES,
            # A backfill is one run over its weeks: the step reads people, not weeks.
            backfill_policy=dg.BackfillPolicy.single_run() if entry.weekly else None,
        )(function)
        return _linked_to_git(decorated)

    return decorate


def _source_of(function: Callable[..., Any]) -> dg.CodeReferencesMetadataValue:
    """Where the asset begins. `dg.with_source_code_references` parses the file to say the same."""
    code = function.__code__
    with _without_beta_warnings():
        here = dg.LocalFileCodeReference(file_path=code.co_filename, line_number=code.co_firstlineno)
        return dg.CodeReferencesMetadataValue(code_references=[here])


def _linked_to_git(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Links to this version's source in the repository, where that is known; else to the file on this machine."""
    url = page_link(os.environ, "LMS_GIT_URL")
    if not url:
        return asset
    with _without_beta_warnings():
        (linked,) = dg.link_code_references_to_git(
            [asset],
            git_url=url,
            git_branch=f"v{version('lms-assets')}",
            platform="gitlab" if "gitlab" in url else "github",
            file_path_mapping=dg.AnchorBasedFilePathMapping(Path(lms_assets.__file__), "lms_assets/__init__.py"),
        )
    assert isinstance(linked, dg.AssetsDefinition)
    return linked


@contextmanager
def _without_beta_warnings() -> Iterator[None]:
    """Links to the source are a beta feature, of which each import would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


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
