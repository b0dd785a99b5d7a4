"""Changes of the CRM, each with `updated` and the deletions log as the vendor keeps them.

Every function takes the sandbox first and returns the id of what it made or changed. `fields` may use the vendor's
names (`Partner_Tier__cf`) or the vendor state's (`partner_tier`). An id that does not exist is a KeyError, a
field that does not is a ValueError.
"""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.changes.changes_lms import set_attributes
from lms_assets.sandbox.impartner.fields import OBJECTS
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.state.vendor_state import Deletion


def add_account(sandbox: Sandbox, name: str, tier: str | None = "Select", fields: dict[str, Any] | None = None) -> int:
    """Make an account that counts as a partner unless the fields say otherwise."""
    now = sandbox.clock.text()
    row = sandbox.factory.account(name, tier, created=now, updated=now)
    return set_account(sandbox, row.id, fields or {})


def set_account(sandbox: Sandbox, account: int, fields: dict[str, Any]) -> int:
    """Set any fields of an account."""
    return _set(sandbox, "Account", account, fields)


def rename_account(sandbox: Sandbox, account: int, name: str | None) -> int:
    """Give an account another name; its contacts show it too."""
    for contact in sandbox.vendor_state.users.values():
        if contact.account_id == account:
            contact.account_name = name
    sandbox.vendor_state.touched("users")
    return set_account(sandbox, account, {"name": name})


def delete_account(sandbox: Sandbox, account: int) -> int:
    """Delete an account; its contacts and leads stay without one, and changed."""
    now = sandbox.clock.text()
    for contact in sandbox.vendor_state.users.values():
        if contact.account_id == account:
            contact.account_id, contact.account_name, contact.updated = None, None, now
    for lead in sandbox.vendor_state.leads.values():
        if lead.partner_account_id == account:
            lead.partner_account_id, lead.updated = None, now
    sandbox.vendor_state.touched("users", "leads")
    return _delete(sandbox, "Account", account)


def add_contact(sandbox: Sandbox, email: str | None, account: int | None = None, first: str = "New") -> int:
    """Make a contact of an account, or of none."""
    now = sandbox.clock.text()
    owner = sandbox.vendor_state.accounts[account] if account is not None else None
    row = sandbox.factory.contact(email, first, "Contact", account=owner, created=now, updated=now)
    sandbox.vendor_state.touched("users")
    return row.id


def set_contact(sandbox: Sandbox, contact: int, fields: dict[str, Any]) -> int:
    """Set any fields of a contact; a new account id brings that account's name unless one is given."""
    known = {_attribute("User", name): value for name, value in fields.items()}
    if "account_id" in known and "account_name" not in known:
        account = sandbox.vendor_state.accounts.get(known["account_id"])
        known["account_name"] = account.name if account else None
    return _set(sandbox, "User", contact, known)


def delete_contact(sandbox: Sandbox, contact: int) -> int:
    """Delete a contact."""
    return _delete(sandbox, "User", contact)


def add_lead(sandbox: Sandbox, email: str | None, account: int | None = None) -> int:
    """Make a lead, with or without a partner."""
    now = sandbox.clock.text()
    row = sandbox.factory.lead(email, "New", "Lead", partner_account_id=account, created=now, updated=now)
    sandbox.vendor_state.touched("leads")
    return row.id


def set_lead(sandbox: Sandbox, lead: int, fields: dict[str, Any]) -> int:
    """Set any fields of a lead."""
    return _set(sandbox, "Lead", lead, fields)


def convert_lead(sandbox: Sandbox, lead: int) -> int:
    """Convert a lead."""
    converted = next(row.id for row in sandbox.vendor_state.lead_statuses.values() if row.name == "Converted")
    values = {"is_converted": True, "converted_date": sandbox.clock.text(), "status_id": converted}
    return _set(sandbox, "Lead", lead, values)


def rename_lead_status(sandbox: Sandbox, status: int, name: str) -> int:
    """Give a status of leads another name; no lead changes."""
    sandbox.vendor_state.lead_statuses[status].name = name
    sandbox.vendor_state.touched("lead_statuses")
    return status


def delete_lead(sandbox: Sandbox, lead: int) -> int:
    """Delete a lead."""
    return _delete(sandbox, "Lead", lead)


def reject_account(sandbox: Sandbox, account: int, reject: bool = True) -> int:
    """Let every PATCH record of an account fail validation, or no longer."""
    if account not in sandbox.vendor_state.accounts:
        raise KeyError(account)
    (sandbox.rejecting_accounts.add if reject else sandbox.rejecting_accounts.discard)(account)
    return account


def _set(sandbox: Sandbox, name: str, number: int, fields: dict[str, Any]) -> int:
    entry = OBJECTS[name]
    row = entry.rows(sandbox.vendor_state)[number]
    values = {_attribute(name, field): value for field, value in fields.items()}
    set_attributes(row, {"updated": sandbox.clock.text()} | values)
    sandbox.vendor_state.touched(entry.collection)
    return number


def _delete(sandbox: Sandbox, name: str, number: int) -> int:
    entry = OBJECTS[name]
    del entry.rows(sandbox.vendor_state)[number]
    sandbox.vendor_state.deletions.append(Deletion(name, number, sandbox.clock.text()))
    sandbox.vendor_state.touched(entry.collection)
    return number


def _attribute(name: str, field: str) -> str:
    known = OBJECTS[name].fields.get(field.lower())
    return known.attribute if known else field
