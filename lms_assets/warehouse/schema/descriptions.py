"""What the columns mean, in a line each, for people who look at an asset. By name; one meaning in every table."""

from dataclasses import dataclass

from sqlalchemy.dialects import mysql

from lms_assets.domain.rules import CERTIFICATION_MONTHS
from lms_assets.warehouse.schema.tables import metadata

NOTES = {
    "account_name": "as the CRM calls the partner; unique",
    "account_owner": "the partner account manager (PAM)",
    "account_region": "the partner's region in the CRM",
    "account_status": "Active or Inactive",
    "added_at": "when the membership was first seen (UTC)",
    "answered_at": "when the answer came (UTC)",
    "as_of": "the instant at which was counted (UTC)",
    "belongs_by": "how the person belongs to the partner: group, contact or both",
    "category": "which count it adds to; empty: total NPCU only",
    "category_by_rule": "the category that the rules gave last; another one was set by hand",
    "category_origin": "who set the category: rule (follows the rules) or hand (stays)",
    "cert_count_go_to_market": "certifications of this category held by the partner's people",
    "cert_count_nintex_ce": "certifications of this category held by the partner's people",
    "cert_count_nintex_k2": "certifications of this category held by the partner's people",
    "cert_count_nintex_salesforce": "certifications of this category held by the partner's people",
    "cert_counts_updated_at": "when a count of this partner last changed (UTC)",
    "certification_category": "which count the certification adds to; empty: total NPCU only",
    "company_name": "the lead's company",
    "completed_at": "when it was completed (UTC)",
    "confirmed_at": "when the CRM was last read back with these values (UTC)",
    "contact_id": "the contact with the account's e-mail address",
    "contact_ids": "the contacts by their row ids, further ones of the CRM as crm:id",
    "counted": "is one of the certifications that make up the counts",
    "country": "the partner's country in the CRM",
    "course_id": "the LMS's id of the course",
    "created_at": "when the row was first written (UTC)",
    "created_at_lms": "when the account was made in the LMS (UTC)",
    "crm_id": "the CRM's id of the lead",
    "crm_last_modified": "when the CRM last changed the contact (UTC)",
    "deactivated_at": "when the account stopped counting (UTC)",
    "deactivation_reason": "why the account no longer counts",
    "deleted_at": "when the source no longer had it (UTC)",
    "deletion_reason": "why the group no longer counts",
    "description": "as the LMS has it",
    "duration_minutes": "as the LMS has it, in minutes",
    "email": "the person's e-mail address, in lower case",
    "email_type": "which report it was",
    "enrolled_at": "when the person enrolled (UTC)",
    "enrollment_id": "of several attempts at the course the one that decides",
    "enrollment_synced_at": "as of when the person's transcript was last read completely (UTC)",
    "error": "why it failed",
    "error_message": "why it failed",
    "expires_at": f"when it stops counting (UTC); empty: {CERTIFICATION_MONTHS} months after completion",
    "failed_attempts": "pushes in a row that the CRM refused",
    "fields": "what the CRM last confirmed, by field",
    "fingerprint": "digest of all that the row says",
    "handed_over_at": "when the mail server was given the message (UTC); pending: whether it took it is not known",
    "first_name": "as the source has it",
    "group_id": "the LMS's id of the group",
    "group_ids": "the groups by the LMS's ids",
    "has_gtm_certification": "at least one certification of go_to_market is held",
    "http_status": "the status of the answer",
    "id": "the row's id; the LMS's own where the row is of the LMS",
    "identity_changed_at": "when it appeared, came back, or changed what links it (UTC)",
    "impartner_id": "the CRM's id",
    "impartner_parent_id": "the CRM's id of the parent account",
    "impartner_partner_id": "the CRM's id of the partner",
    "is_active": "counts now",
    "is_certification": "worth NPCU points",
    "is_primary": "the partner's primary contact",
    "last_active_at": "when the person was last active in the LMS (UTC)",
    "last_api_check": "when the members were last asked for (UTC)",
    "last_attempt_at": "when a push was last tried (UTC)",
    "last_checked_at": "when the source was last asked for it (UTC)",
    "last_error": "why the CRM refused the last push",
    "last_name": "as the source has it",
    "lead_count": "leads that the CRM gave to the partner",
    "lead_created_at": "when the lead was made in the CRM (UTC)",
    "lead_updated_at": "when the CRM last changed the lead (UTC)",
    "leads_last_30_days": "those of the last 30 days",
    "leads_updated_at": "when the number of leads last changed (UTC)",
    "link_method": "how the partner was found: by hand, exact name, similar name",
    "link_score": "how alike the names are, 0 to 100",
    "linked_at": "when the link last changed (UTC)",
    "listed_at": "when a listing last had it (UTC)",
    "lms_user_id": "the LMS account with the contact's e-mail address",
    "members_synced_at": "when the members were last read completely (UTC)",
    "message_key": "what makes a message unique: report, period and addressee",
    "name": "as the source calls it",
    "npcu": "points of the course: 1 or 2",
    "npcu_problem": "why the points at the source count as 0",
    "npcu_value": "points: 0, 1 or 2",
    "owner_email": "e-mail address of the partner account manager",
    "pam_id": "the partner account manager it is for",
    "parent_partner_id": "the partner that is its parent",
    "partner_id": "the partner it belongs to",
    "partner_tier": "what the partner has to hold NPCU for",
    "partner_type": "as the CRM has it",
    "period": "the day, week or month that the report is about: 2026-W48",
    "pending_source": "api: confirmed by the LMS; local: added by the portal, not yet confirmed",
    "phone": "as the CRM has it",
    "plan_id": "the plan it belongs to",
    "primary_user_email": "e-mail address of the primary contact",
    "primary_user_id": "the CRM's id of the primary contact",
    "primary_user_name": "name of the primary contact",
    "product_category": "as the LMS has it",
    "progress_percent": "0 to 100",
    "reason": "the verdict in words",
    "recipient_email": "where it was sent",
    "recipient_name": "whom it was sent to",
    "salesforce_id": "15 or 18 characters, of which the first 15 identify",
    "score": "as the LMS has it, 0 to 100",
    "sent_at": "when it was sent (UTC)",
    "since": "since when it holds (UTC)",
    "source": "where the lead came from, as the CRM has it",
    "started_at": "when it was begun (UTC)",
    "status": "where it stands at the source",
    "status_id": "the CRM's id of the lead's status",
    "status_name": "the lead's status in the CRM",
    "subject": "subject line",
    "synced_at": "when the row was last written (UTC)",
    "title": "the person's job title",
    "total_npcu": "points that the partner's people hold",
    "transcript_due_since": "since when the transcript has to be read again: the last reading did not complete (UTC)",
    "transcript_read_at": "when the reading of the last complete transcript began (UTC)",
    "transcript_stored_at": "when the stored transcript was read, completely or in part (UTC)",
    "updated_at": "when the row was last written (UTC)",
    "updated_at_lms": "when the LMS last changed the account (UTC)",
    "user_count": "members by the LMS's own count",
    "user_id": "the LMS's id of the person",
    "valid_from": "the first counting that found it so, by its instant (UTC)",
    "valid_to": "the first counting that no longer did (UTC); empty: it holds now",
    "verdict": "what became of it, as a word",
    "website": "as the CRM has it",
}

_PERSONAL = {
    "email",
    "first_name",
    "last_name",
    "phone",
    "name",
    "recipient_email",
    "recipient_name",
    "primary_user_name",
    "primary_user_email",
    "owner_email",
    "account_owner",
    "owner_name",
}
_NAMES_OF_THINGS = {"lms_groups", "lms_courses"}


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column; `type` as MySQL writes it, `personal` when it says something about a person, `note` what it means."""

    name: str
    type: str
    nullable: bool
    unique: bool
    personal: bool
    note: str | None = None


def table_columns(table: str) -> tuple[ColumnInfo, ...]:
    """The columns of a table, in order. KeyError when there is no such table."""
    dialect = mysql.dialect()
    found = metadata.tables[table]
    single_key = len(found.primary_key.columns) == 1
    return tuple(
        ColumnInfo(
            column.name,
            column.type.compile(dialect).lower().partition(" character set")[0],
            bool(column.nullable),
            bool(column.unique) or (column.primary_key and single_key),
            column.name in _PERSONAL and table not in _NAMES_OF_THINGS,
            NOTES.get(column.name),
        )
        for column in found.columns
    )
