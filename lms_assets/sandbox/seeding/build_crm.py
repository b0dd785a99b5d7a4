"""Accounts, contacts, leads and lookups of the CRM: the ordinary ones, filled up to the volumes."""

from __future__ import annotations

import random

from lms_assets.sandbox.state import ids, names
from lms_assets.sandbox.state.factory import Factory
from lms_assets.sandbox.state.vendor_state import Account, Lookup, Person, User
from lms_assets.sandbox.state.volumes import Volumes

REGIONS = ("EMEA", "Americas", "APAC", "Japan", "LATAM")
LEAD_STATUSES = ("New", "Accepted", "Working", "Qualified", "Disqualified", "Converted")
KEPT_TIERS = ("Premier", "Premier Plus", "Select", "Certified", "Registered", "Aggregator")
_TIER_WEIGHTS = (8, 4, 20, 25, 40, 3)
_PARTNER_TYPES = ("Reseller", "Service Provider", "Distributor", "Technology Partner")
_TITLES = ("Consultant", "Developer", "Account Manager", "Architect", "Director", None)
_SOURCES = ("Web", "Event", "Referral", "Partner", "Webinar")


def add_lookups(factory: Factory) -> None:
    """`Region` and `LeadStatus`."""
    factory.vendor_state.regions = {number: Lookup(number, name) for number, name in enumerate(REGIONS, 1)}
    factory.vendor_state.lead_statuses = {number: Lookup(number, name) for number, name in enumerate(LEAD_STATUSES, 1)}


def add_accounts(factory: Factory, volumes: Volumes, words: list[str]) -> tuple[list[Account], list[Account]]:
    """Ordinary accounts around `words`: those that count as partners, and those that are left out."""
    rng = factory.rng
    edge_case = sum(1 for account in factory.vendor_state.accounts.values() if _counts(account))
    kept_wanted = max(volumes.kept_partners // 2, volumes.kept_partners - edge_case)
    kept = [_account(factory, names.company_name(rng, words.pop())) for _ in range(kept_wanted)]
    excluded = []
    while len(factory.vendor_state.accounts) < volumes.accounts:
        excluded.append(_excluded_account(factory, words.pop()))
    for account in rng.sample(kept, len(kept) // 20):
        account.parent_account_id = rng.choice(kept).id
    return kept, excluded


def _counts(account: Account) -> bool:
    """Whether an account is a partner (domain rules, partners left out)."""
    name = (account.name or "").strip().lower()
    named = bool(name) and "nintex" not in name
    return named and account.partner_tier in KEPT_TIERS and account.account_status != "Inactive"


def _account(factory: Factory, name: str) -> Account:
    rng = factory.rng
    owner, owner_email = rng.choice(names.OWNERS)
    city, country = rng.choice(names.CITIES)
    account = factory.account(
        name,
        rng.choices(KEPT_TIERS, _TIER_WEIGHTS)[0],
        account_owner=owner,
        account_owner_email=owner_email,
        partner_type=rng.choice(_PARTNER_TYPES),
        mailing_city=city,
        mailing_country=country,
        region_id=rng.randint(1, len(REGIONS)),
    )
    account.website = f"https://{domain_of(account)}"
    return account


def _excluded_account(factory: Factory, word: str) -> Account:
    account = _account(factory, names.company_name(factory.rng, word))
    draw = factory.rng.random()
    if draw < 0.4:
        account.partner_tier = "Pending"
    elif draw < 0.7:
        account.partner_tier = None
    else:
        account.account_status, account.is_active = "Inactive", False
    return account


def domain_of(account: Account) -> str:
    """The made-up e-mail domain of an account's people."""
    return f"partner-{account.id:04d}.example.com"


def add_contacts(
    factory: Factory, volumes: Volumes, employers: list[tuple[Person, Account]], accounts: list[Account]
) -> None:
    """Contacts of `employers` (person, account), then others without LMS access, up to the volume."""
    number = max(factory.vendor_state.users, default=50_000)
    for person, account in employers:
        number += 1
        shouting = factory.rng.random() < 0.1
        email = f" {person.email.upper()} " if shouting and person.email else person.email
        _contact(factory, number, (email, person.first_name, person.last_name), account)
    while len(factory.vendor_state.users) < volumes.contacts:
        number += 1
        given, family, local = names.person_name(factory.rng)
        account_or_none = factory.rng.choice(accounts) if factory.rng.random() < 0.95 else None
        domain = domain_of(account_or_none) if account_or_none else "nowhere.example.net"
        contact = _contact(factory, number, (f"{local}.c{number}@{domain}", given, family), account_or_none)
        _leave_some_out(factory.rng, contact, number)
    _fill_in_accounts(factory)


def _contact(factory: Factory, number: int, who: tuple[str | None, str, str], account: Account | None) -> User:
    return factory.contact(
        *who,
        id=number,
        account=account,
        title=_TITLES[number % len(_TITLES)],
        phone=f"+1 555 01{number % 100:02d}" if number % 3 else None,
    )


def _leave_some_out(rng: random.Random, contact: User, number: int) -> None:
    """One contact in ten is one that does not count (domain rules, contacts left out)."""
    draw = rng.randrange(60)
    if draw == 0:
        contact.is_active = False
    elif draw == 1:
        contact.contact_status = rng.choice(("Inactive", "Terminated", "Suspended", "Deactivated"))
    elif draw == 2:
        contact.email = f"someone.{number}@{rng.choice(('nintex.com', 'bill.com', 'safalo.com', 'crestan.com'))}"
    elif draw == 3:
        word = rng.choice(["demo", "sales", "support", "accounts", "test", "renewals", "finance", "payable"])
        contact.email = f"{word}.{number}@partner.example.org"
    elif draw == 4:
        contact.email = rng.choice((None, "", "not an address", f"two@at@{number}.example.com"))
    elif draw == 5:
        contact.contact_status = None


def _fill_in_accounts(factory: Factory) -> None:
    """Member counts and primary users, as the CRM derives them from its contacts."""
    for contact in factory.vendor_state.users.values():
        account = factory.vendor_state.accounts.get(contact.account_id or 0)
        if account is None:
            continue
        account.member_count += 1
        if account.primary_user_id is None and contact.is_active and contact.id % 5:
            account.primary_user_id = contact.id


def add_leads(factory: Factory, volumes: Volumes, accounts: list[Account]) -> None:
    """Leads up to the volume, the wanted number of them with a partner."""
    rng = factory.rng
    number = max(factory.vendor_state.leads, default=200_000)
    have_partner = sum(1 for lead in factory.vendor_state.leads.values() if lead.partner_account_id is not None)
    without_wanted = volumes.leads - volumes.leads_with_partner
    have_none = len(factory.vendor_state.leads) - have_partner
    plan = [True] * (volumes.leads_with_partner - have_partner) + [False] * (without_wanted - have_none)
    rng.shuffle(plan)
    for has_partner in plan:
        number += 1
        draw = rng.getrandbits(40)
        given, family, local = names.person_name(rng)
        age = draw % 900
        converted = draw % 11 == 0
        factory.lead(
            f"{local}.l{number}@customer-{draw % 997}.example.net",
            given,
            family,
            id=number,
            created=factory.ago(days=age, seconds=draw % 86_400),
            updated=factory.ago(days=age * (draw % 89) // 100, seconds=draw % 3600),
            status_id=6 if converted else 1 + draw % 5,
            source=_SOURCES[draw % len(_SOURCES)],
            description="Asked for a demonstration." if draw % 4 == 0 else None,
            crm_id=ids.salesforce(rng, "00Q") if draw % 3 == 0 else None,
            partner_account_id=rng.choice(accounts).id if has_partner else None,
            is_converted=converted,
            converted_date=factory.ago(days=age * (draw % 89) / 100) if converted else None,
        )
