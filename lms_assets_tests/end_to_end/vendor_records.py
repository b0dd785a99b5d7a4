"""What the vendors' clients hand to the rules, made from a raw state without HTTP.

A state's flat rows (the sandbox's `VendorState.state()`, or a tiny vendor state) become JSON:API resources and
dictionaries with the CRM's field names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = dict[str, Any]

_ACCOUNT = {
    "Id": "id",
    "Name": "name",
    "Partner_Tier__cf": "partner_tier",
    "Account_Status__cf": "account_status",
    "Account_Owner__cf": "account_owner",
    "Account_Owner_Email__cf": "account_owner_email",
    "Partner_Type__cf": "partner_type",
    "Website": "website",
    "CrmId": "crm_id",
    "MailingCity": "mailing_city",
    "MailingCountry": "mailing_country",
    "RegionId": "region_id",
    "MemberCount": "member_count",
    "ParentAccountId": "parent_account_id",
    "PrimaryUserId": "primary_user_id",
    "IsActive": "is_active",
    "IsTest": "is_test",
    "Created": "created",
    "Updated": "updated",
}
_USER = {
    "Id": "id",
    "Email": "email",
    "FirstName": "first_name",
    "LastName": "last_name",
    "Title": "title",
    "Phone": "phone",
    "AccountId": "account_id",
    "AccountName": "account_name",
    "Contact_Status__cf": "contact_status",
    "IsActive": "is_active",
    "CrmId": "crm_id",
    "Updated": "updated",
}
_PERSON = ("email", "first_name", "last_name", "disabled", "created_at", "last_active_at", "deactivated_at")
_TRANSCRIPT = ("resource_type", "resource_id", "progress_status", "progress", "completed_at", "enrolled_at", "score")


def accounts(state: Mapping[str, Any]) -> list[Record]:
    """Impartner `Account` records."""
    return [{field: row.get(column) for field, column in _ACCOUNT.items()} for row in state["accounts"]]


def users(state: Mapping[str, Any]) -> list[Record]:
    """Impartner `User` records."""
    return [{field: row.get(column) for field, column in _USER.items()} for row in state["users"]]


def people(state: Mapping[str, Any]) -> list[Record]:
    """Northpass `people`; an attribute without a value is missing in every second one, as the vendor leaves it."""
    found = []
    for place, row in enumerate(state["people"]):
        attributes = {name: row.get(name) for name in _PERSON}
        if place % 2:
            attributes = {name: value for name, value in attributes.items() if value is not None or name == "email"}
        found.append({"id": row["id"], "type": "people", "attributes": attributes})
    return found


def groups(state: Mapping[str, Any]) -> list[Record]:
    """Northpass `groups`."""
    return [
        {"id": row["id"], "type": "groups", "attributes": {"name": row["name"], "user_count": 0}}
        for row in state["groups"]
    ]


def memberships(state: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Northpass `memberships` by group id; a membership's own id is not its person's."""
    found: dict[str, list[Record]] = {}
    for place, row in enumerate(state["memberships"]):
        person = {"data": {"type": "people", "id": row["person_id"]}}
        record = {"id": f"membership-{place}", "type": "memberships", "relationships": {"person": person}}
        found.setdefault(row["group_id"], []).append(record)
    return found


def courses(state: Mapping[str, Any]) -> list[Record]:
    """Northpass `courses`."""
    return [
        {"id": row["id"], "type": "courses", "attributes": {"name": row["name"], "status": row.get("status", "live")}}
        for row in state["courses"]
    ]


def course_properties(state: Mapping[str, Any]) -> list[Record]:
    """Northpass `course_properties`."""
    return [
        {"id": row["id"], "type": "course_properties", "attributes": {"properties": row["properties"]}}
        for row in state["course_properties"]
    ]


def transcripts(state: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Northpass `transcripts` by person id, the expiry under the name that its tenant uses."""
    found: dict[str, list[Record]] = {}
    for row in state["transcripts"]:
        attributes = {name: row.get(name) for name in _TRANSCRIPT}
        if row["expires_at"] is not None:
            attributes[row.get("expiry_attribute", "expires_at")] = row["expires_at"]
        record = {"id": row["id"], "type": "transcripts", "attributes": attributes}
        found.setdefault(row["person_id"], []).append(record)
    return found
