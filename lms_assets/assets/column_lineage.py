"""From which columns, and from which fields of the vendors, the numbers come that the CRM is sent."""

from __future__ import annotations

import dagster as dg

from lms_assets.domain.rules import Rules


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
