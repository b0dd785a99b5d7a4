"""Edge-case accounts: identifiers, tiers and statuses, and those that are no partners."""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.edge_cases.stage import Stage
from lms_assets.sandbox.state import ids

# Case -> (account name, tier, further values): all left out (domain rules, partners left out).
_EXCLUDED: dict[str, tuple[str | None, str | None, dict[str, Any]]] = {
    "account_tier_null": ("Pebblegate Systems", None, {}),
    "account_tier_blank": ("Mosswick Systems", "", {}),
    "account_tier_pending": ("Fernhollow Systems", "Pending", {}),
    "account_tier_unknown": ("Brackenfold Systems", "Gold", {}),
    "account_inactive": ("Hazelmere Systems", "Premier", {"account_status": "Inactive", "is_active": False}),
    "account_vendors_own": ("Nintex Inside Sandbox", "Premier", {}),
    "account_vendors_own_within": ("MyNINTEXShop", "Select", {}),
    "account_name_null": (None, "Select", {}),
    "account_name_blank": ("   ", "Select", {}),
}

CASES = {
    **dict.fromkeys(_EXCLUDED, "account that is left out; the group of its name, if it has one, with a member"),
    "account_status_null": "account without a status: counts",
    "account_without_crm_id": "account without a Salesforce id",
    "crm_id_15_characters": "account",
    "crm_id_18_characters": "account",
    "crm_ids_differ_in_case": "two accounts whose Salesforce ids differ in upper and lower case only",
    "account_parent_excluded": "account whose parent is left out; the parent",
    "account_parent_gone": "account whose parent id names no account",
    "accounts_equal_names": "two accounts of one name",
    "accounts_names_differ_in_case": "two accounts",
    "accounts_names_differ_in_accent": "two accounts",
    "account_name_255_characters": "account",
    "account_html_name": "account; its group: markup, an ampersand and other scripts in the name",
    "account_formula_name": "account; its group: the name starts like a spreadsheet formula",
    "account_sql_name": "account; its group: quote and SQL in the name",
    "account_emoji_name": "account; its group",
    "account_apostrophe_name": "account; its group",
}  # fmt: skip

# Case -> name of both the account and its group.
_ODD_NAMES = {
    "account_html_name": "<script>alert(1)</script> & Söhne 株式会社",
    "account_formula_name": '=HYPERLINK("http://formula.example.com","Click")',
    "account_sql_name": "Robert'); DROP TABLE partners;--",
    "account_emoji_name": "Rocketfern 🚀 Automation",
    "account_apostrophe_name": "O'Clover's Cloud",
}


def add(stage: Stage) -> None:
    """Add the cases."""
    for case, (name, tier, values) in _EXCLUDED.items():
        account = stage.factory.account(name, tier, **values)
        found = [account.id]
        if name and name.strip():
            group = stage.unlinked_group(name)
            found.append(group.id)  # type: ignore[arg-type]
        stage.case(case, *found)
    for case, name in _ODD_NAMES.items():
        stage.case(case, *stage.partner_with_group(name, name))
    _identifiers(stage)
    _relations(stage)
    _equal_names(stage)


def _identifiers(stage: Stage) -> None:
    factory, rng = stage.factory, stage.factory.rng
    short = ids.salesforce(rng, "001", long=False)
    swapped = short[:3] + short[3:].swapcase()
    stage.case("account_status_null", factory.account("Quietbrook Labs", account_status=None))
    stage.case("account_without_crm_id", factory.account("Paperless Fen", crm_id=None))
    stage.case("crm_id_15_characters", factory.account("Fifteen Oaks", crm_id=ids.salesforce(rng, "001", long=False)))
    stage.case("crm_id_18_characters", factory.account("Eighteen Elms", crm_id=ids.salesforce(rng, "001", long=True)))
    stage.case(
        "crm_ids_differ_in_case",
        factory.account("Upperhill Vetch", crm_id=short),
        factory.account("Lowerdale Kelp", crm_id=swapped),
    )


def _relations(stage: Stage) -> None:
    factory, parent = stage.factory, stage.vendor_state.cases["account_tier_pending"][0]
    stage.case("account_parent_excluded", factory.account("Childbrook Data", parent_account_id=parent), parent)
    stage.case("account_parent_gone", factory.account("Orphanmoor Data", parent_account_id=987_654))


def _equal_names(stage: Stage) -> None:
    account = stage.factory.account
    stage.case("accounts_equal_names", account("Twingables Studio"), account("Twingables Studio"))
    stage.case("accounts_names_differ_in_case", account("Bluegorse Works"), account("BLUEGORSE WORKS"))
    stage.case("accounts_names_differ_in_accent", account("Cafe Nordlys"), account("Café Nordlys"))
    stage.case("account_name_255_characters", account(("Lengthwise " * 30)[:254] + "z"))
