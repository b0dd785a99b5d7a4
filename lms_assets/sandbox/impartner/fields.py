"""The CRM's objects and fields (Impartner API, objects read; write): names, types, and which may be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.state.vendor_state import VendorState


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in requests, the vendor state's attribute behind it, and its type as `_describe` names it."""

    name: str
    attribute: str
    data_type: str = "String"
    read_only: bool = False

    @property
    def answered_as(self) -> str:
        """The name in answers: the first letter lowered."""
        return self.name[0].lower() + self.name[1:]


@dataclass(frozen=True, slots=True)
class CrmObject:
    """One object: its fields by lower-case name, the vendor state's collection it is in, and how to get its rows."""

    name: str
    collection: str
    fields: dict[str, Field]

    def rows(self, vendor_state: VendorState) -> dict[int, Any]:
        """The object's records by id."""
        return getattr(vendor_state, self.collection)  # type: ignore[no-any-return]


def _object(name: str, collection: str, *fields: Field) -> CrmObject:
    return CrmObject(name, collection, {field.name.lower(): field for field in fields})


def _int(name: str, attribute: str, *, read_only: bool = False) -> Field:
    return Field(name, attribute, "Integer", read_only)


def _double(name: str, attribute: str) -> Field:
    return Field(name, attribute, "Double")


def _bool(name: str, attribute: str) -> Field:
    return Field(name, attribute, "Boolean")


def _time(name: str, attribute: str) -> Field:
    return Field(name, attribute, "DateTime", read_only=True)


_ID = _int("Id", "id", read_only=True)

PUSH_TARGETS = (
    _double("Nintex_CE_Certifications__cf", "nintex_ce_certifications"),
    _double("Nintex_K2_Certifications__cf", "nintex_k2_certifications"),
    _double("Nintex_for_Salesforce_Certifications__cf", "nintex_for_salesforce_certifications"),
    _double("Nintex_GTM_Certifications__cf", "nintex_gtm_certifications"),
    _double("Total_NPCU__cf", "total_npcu"),
    Field("LMS_Account_ID__cf", "lms_account_id"),
    Field("LMS_Group_Name__cf", "lms_group_name"),
    Field("LMS_Training_Dashboard__cf", "lms_training_dashboard"),
)

OBJECTS: dict[str, CrmObject] = {
    entry.name: entry
    for entry in (
        _object(
            "Account",
            "accounts",
            _ID,
            Field("Name", "name"),
            Field("Partner_Tier__cf", "partner_tier"),
            Field("Account_Status__cf", "account_status", read_only=True),
            Field("Account_Owner__cf", "account_owner", read_only=True),
            Field("Account_Owner_Email__cf", "account_owner_email"),
            Field("Partner_Type__cf", "partner_type"),
            Field("Website", "website"),
            Field("CrmId", "crm_id"),
            Field("MailingCity", "mailing_city"),
            Field("MailingCountry", "mailing_country"),
            _int("RegionId", "region_id"),
            _int("MemberCount", "member_count", read_only=True),
            _int("ParentAccountId", "parent_account_id"),
            _int("PrimaryUserId", "primary_user_id"),
            _bool("IsActive", "is_active"),
            _bool("IsTest", "is_test"),
            _time("Created", "created"),
            _time("Updated", "updated"),
            *PUSH_TARGETS,
        ),
        _object(
            "User",
            "users",
            _ID,
            Field("Email", "email"),
            Field("FirstName", "first_name"),
            Field("LastName", "last_name"),
            Field("Title", "title"),
            Field("Phone", "phone"),
            _int("AccountId", "account_id"),
            Field("AccountName", "account_name", read_only=True),
            Field("Contact_Status__cf", "contact_status"),
            _bool("IsActive", "is_active"),
            Field("CrmId", "crm_id"),
            _time("Created", "created"),
            _time("Updated", "updated"),
        ),
        _object(
            "Lead",
            "leads",
            _ID,
            Field("FirstName", "first_name"),
            Field("LastName", "last_name"),
            Field("Email", "email"),
            Field("Phone", "phone"),
            Field("Title", "title"),
            _int("StatusId", "status_id"),
            Field("Source", "source"),
            Field("Description", "description"),
            Field("CrmId", "crm_id"),
            _int("PartnerAccountId", "partner_account_id"),
            _bool("IsConverted", "is_converted"),
            _time("ConvertedDate", "converted_date"),
            _time("Created", "created"),
            _time("Updated", "updated"),
        ),
        _object("Region", "regions", _ID, Field("Name", "name")),
        _object("LeadStatus", "lead_statuses", _ID, Field("Name", "name")),
    )
}


def description(entry: CrmObject) -> list[dict[str, Any]]:
    """What `_describe` answers for an object: an array of one."""
    fields = [
        {
            "name": field.name,
            "displayName": field.name.removesuffix("__cf").replace("_", " "),
            "dataType": field.data_type,
            "isReadOnly": field.read_only,
            "isRequired": field.name == "Name",
            "isCustom": field.name.endswith("__cf"),
        }
        for field in entry.fields.values()
    ]
    return [{"name": entry.name, "displayName": entry.name, "fields": fields}]


_NUMBERS: dict[str, Callable[[float], float | str]] = {
    "number": float,
    "text": lambda value: f"{value:.2f}",
    "rounded": lambda value: float(value) - 2e-10,
}


def shower(fields: list[Field], config: SandboxConfig) -> Callable[[Any], dict[str, Any]]:
    """Makes the answer for a row: only these fields; an empty one is null or, in every second record, missing.

    A double is shown with its point, 3.0 for 3, or as `config.crm_numbers` says.
    """
    hidden = {name.lower() for name in config.hidden_account_fields}
    fields = [field for field in fields if field.name.lower() not in hidden]
    shown = _NUMBERS[config.crm_numbers]
    columns = [(field.answered_as, field.attribute) for field in fields]
    doubles = [field.answered_as for field in fields if field.data_type == "Double"]

    def show(row: Any) -> dict[str, Any]:
        values = {name: getattr(row, attribute) for name, attribute in columns}
        values |= {name: shown(values[name]) for name in doubles if values[name] is not None}
        if row.id % 2:
            return {name: value for name, value in values.items() if value is not None}
        return values

    return show
