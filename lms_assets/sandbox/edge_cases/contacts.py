"""Edge-case contacts: addresses in every spelling, those that are left out, and links to accounts by name only.

Where a case has a person, that person's only tie to a partner is the contact.
"""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.edge_cases.stage import Stage
from lms_assets.sandbox.state.vendor_state import Account, Person, User

# Case -> e-mail of a contact that is left out (domain rules, contacts left out).
_LEFT_OUT_BY_ADDRESS = {
    "contact_domain_nintex": "someone@nintex.com",
    "contact_domain_bill": "someone@bill.com",
    "contact_domain_safalo": "someone@SAFALO.com",
    "contact_domain_crestan": "someone@crestan.com",
    "contact_word_test": "test@gableworks.example.com",
    "contact_word_sales": "sales.emea@gableworks.example.com",
    "contact_word_accounts": "eu-accounts@gableworks.example.com",
    "contact_word_finance": "finance_team@gableworks.example.com",
}
# Case -> e-mail of a contact that counts, although it contains the letters of an excluded word or domain.
_KEPT_IN_SPITE = {
    "contact_letters_of_test": "contestant@gableworks.example.com",
    "contact_letters_of_test_again": "protester@gableworks.example.com",
    "contact_domain_contains_excluded": "someone@notnintex.com.example.org",
}
# Case -> values by which a contact is left out.
_LEFT_OUT_BY_STATE: dict[str, dict[str, Any]] = {
    "contact_inactive_flag": {"is_active": False},
    "contact_status_inactive": {"contact_status": "Inactive"},
    "contact_status_terminated": {"contact_status": "Terminated"},
    "contact_status_suspended": {"contact_status": "Suspended"},
    "contact_status_deactivated": {"contact_status": "Deactivated"},
}

CASES = {
    **dict.fromkeys(_LEFT_OUT_BY_ADDRESS, "contact that is left out; person of that e-mail: counts nowhere"),
    **dict.fromkeys(_KEPT_IN_SPITE, "contact that counts; person of that e-mail: counts"),
    **dict.fromkeys(_LEFT_OUT_BY_STATE, "contact that is left out; person of that e-mail: counts nowhere"),
    "contact_without_email": "contact",
    "contact_blank_email": "contact",
    "contact_invalid_email": "contact",
    "contact_status_null": "contact without a status; person of that e-mail: counts",
    "contact_upper_case_email": "contact in capitals; person of that e-mail: counts",
    "contact_email_with_blanks": "contact with blanks around the e-mail; person of it: counts",
    "contact_by_account_name": "contact without AccountId; person; account it names: counts",
    "contact_by_account_name_other_case": "contact without AccountId; person; account it names in capitals: counts",
    "contact_without_account": "contact without any account; person: counts nowhere",
    "contact_of_gone_account": "contact whose AccountId names no account; person: counts nowhere",
    "contact_of_excluded_account": "contact; person; account that is left out: counts nowhere",
    "contacts_share_email_one_excluded": "contact of a partner; later contact of a left-out account: the first wins",
    "contacts_share_email_both_kept": "older contact of one partner; later one of another; person: counts for both",
    "contact_without_names": "contact without first and last name",
}


def add(stage: Stage) -> None:
    """Add the cases."""
    for case, email in (_LEFT_OUT_BY_ADDRESS | _KEPT_IN_SPITE).items():
        stage.case(case, *_pair(stage, email))
    for case, values in _LEFT_OUT_BY_STATE.items():
        stage.case(case, *_pair(stage, _address(case), **values))
    factory = stage.factory
    for case, email_or_none in (
        ("contact_without_email", None),
        ("contact_blank_email", "  "),
        ("contact_invalid_email", "not an address"),
    ):
        stage.case(case, factory.contact(email_or_none, "No", "Address", account=stage.partner))
    stage.case("contact_status_null", *_pair(stage, _address("contact_status_null"), contact_status=None))
    for case, spelled in (("contact_upper_case_email", str.upper), ("contact_email_with_blanks", "  {} ".format)):
        contact, person = _pair(stage, _address(case))
        contact.email = spelled(contact.email or "")
        stage.case(case, contact, person)
    nameless = factory.contact(_address("contact_without_names"), None, None, account=stage.partner)
    stage.case("contact_without_names", nameless)
    _by_account(stage)
    _sharing(stage)


def _by_account(stage: Stage) -> None:
    partner = stage.partner
    name = partner.name or ""
    excluded = stage.vendor_state.accounts[int(stage.vendor_state.cases["account_tier_pending"][0])]
    for case, values, found in (
        ("contact_by_account_name", {"account_name": name}, [partner]),
        ("contact_by_account_name_other_case", {"account_name": name.upper()}, [partner]),
        ("contact_without_account", {}, []),
        ("contact_of_gone_account", {"account_id": 987_655, "account_name": "Vanishedholm"}, []),
        ("contact_of_excluded_account", {"account": excluded}, [excluded]),
    ):
        stage.case(case, *_pair(stage, _address(case), **({"account": None} | values)), *found)


def _sharing(stage: Stage) -> None:
    factory = stage.factory
    excluded = stage.vendor_state.accounts[int(stage.vendor_state.cases["account_inactive"][0])]

    def contact(case: str, account: Account, days: int) -> User:
        updated = factory.ago(days=days)
        return factory.contact(_address(case), "Shared", "Contact", account=account, updated=updated)

    case = "contacts_share_email_one_excluded"
    stage.case(
        case, contact(case, stage.partner, 50), contact(case, excluded, 3), stage.person("", email=_address(case))
    )
    case = "contacts_share_email_both_kept"
    stage.case(
        case,
        contact(case, stage.partner, 60),
        contact(case, stage.second_partner, 4),
        stage.person("", email=_address(case)),
    )


def _address(case: str) -> str:
    # The word "contact" alone is harmless; words of the exclusion list must not get in by way of a case's name.
    return f"{case.replace('_', '')}@gableworks.example.com"


def _pair(stage: Stage, email: str, **values: Any) -> tuple[User, Person]:
    """A contact (of the first partner unless told otherwise) and a certified person with the same e-mail."""
    contact = stage.factory.contact(email, "Con", "Tact", **({"account": stage.partner} | values))
    return contact, stage.person("", email=email.lower(), first_name="Con", last_name="Tact")
