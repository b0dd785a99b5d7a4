"""Edge-case people: in several places, disabled, gone, without or with somebody else's e-mail, with odd names."""

from __future__ import annotations

from lms_assets.sandbox.edge_cases.stage import Stage
from lms_assets.sandbox.state import ids
from lms_assets.sandbox.state.vendor_state import Person

# Case -> (given name, family name).
_NAMES = {
    "person_formula_name": ("=cmd|'/c calc'!A0", "+1+1"),
    "person_html_name": ("<img src=x onerror=alert(1)>", "& Sons"),
    "person_emoji_name": ("Ada 🦊", "Fern 🌿"),
    "person_apostrophe_name": ("D'Arcy", "O'Nettle"),
    "person_japanese_name": ("花子", "青木"),
    "person_arabic_name": ("ليلى", "الياسمين"),
    "person_empty_name": ("", ""),
}

CASES = {
    **dict.fromkeys(_NAMES, "person"),
    "person_two_groups_of_one_partner": "person; the two groups: counts once",
    "person_two_partners": "person; the two accounts: counts for both",
    "person_only_contact": "person in no partner's group; the contact; its account",
    "person_group_and_contact": "person; group; contact of the same partner: counts once",
    "person_group_and_contact_elsewhere": "person; group of one partner; contact of another: counts for both",
    "person_disabled_dated": "person, disabled with deactivated_at",
    "person_disabled_undated": "person, disabled without deactivated_at",
    "person_enabled_but_dated": "person, not disabled, with an old deactivated_at: active",
    "email_shared_one_disabled": "two people with one e-mail: active, disabled (active last); their contact",
    "email_shared_both_active": "two people with one e-mail: active last week, active last year; their contact",
    "person_without_email": "person whose e-mail is null",
    "person_blank_email": "person whose e-mail is empty",
    "person_upper_case_email": "person with capitals in the e-mail; contact without",
    "members_gone": "group; two member ids of people who no longer exist",
    "person_compound_id": "person with an id longer than 50 characters",
    "person_never_active": "person invited and never active: no last_active_at, no transcript",
    "person_unsubscribed": "person who wants no mail",
    "person_outside": "person in no group who is no contact, with a certification: counts nowhere",
}


def add(stage: Stage) -> None:
    """Add the cases."""
    for case, (given, family) in _NAMES.items():
        local = case.replace("_", ".")
        stage.case(case, stage.person(local, stage.group, first_name=given, last_name=family))
    _in_several_places(stage)
    _disabled(stage)
    _shared_addresses(stage)
    _addresses(stage)
    _others(stage)


def _in_several_places(stage: Stage) -> None:
    factory, contact = stage.factory, stage.factory.contact
    annex = factory.group("PTR_Gableworks Collective LLC", stage.partner)
    stage.case(
        "person_two_groups_of_one_partner",
        stage.person("two.groups", stage.group, annex),
        stage.group,
        annex,
    )
    stage.case(
        "person_two_partners",
        stage.person("two.partners", stage.group, stage.second_group),
        stage.partner,
        stage.second_partner,
    )
    alone = stage.person("only.contact")
    stage.case(
        "person_only_contact", alone, contact(alone.email, "Only", "Contact", account=stage.partner), stage.partner
    )
    both = stage.person("group.and.contact", stage.group)
    stage.case(
        "person_group_and_contact", both, stage.group, contact(both.email, "Both", "Ways", account=stage.partner)
    )
    split = stage.person("contact.elsewhere", stage.group)
    elsewhere = contact(split.email, "Two", "Hats", account=stage.second_partner)
    stage.case("person_group_and_contact_elsewhere", split, stage.group, elsewhere)


def _disabled(stage: Stage) -> None:
    past = stage.factory.ago(days=20)
    person, group = stage.person, stage.group
    stage.case("person_disabled_dated", person("disabled.dated", group, disabled=True, deactivated_at=past))
    stage.case("person_disabled_undated", person("disabled.undated", group, disabled=True))
    stage.case("person_enabled_but_dated", person("enabled.again", group, deactivated_at=past))


def _shared_addresses(stage: Stage) -> None:
    factory, shared = stage.factory, "shared.one@gableworks.example.com"
    active = stage.person("", email=shared, last_active_at=factory.ago(days=90))
    disabled = stage.person("", email=shared, disabled=True, last_active_at=factory.ago(days=2))
    contact = factory.contact(shared, "Shared", "One", account=stage.partner)
    stage.case("email_shared_one_disabled", active, disabled, contact)
    shared = "shared.both@gableworks.example.com"
    recent = stage.person("", email=shared, last_active_at=factory.ago(days=7))
    long_ago = stage.person("", email=shared.upper(), last_active_at=factory.ago(days=365))
    contact = factory.contact(shared, "Shared", "Both", account=stage.partner)
    stage.case("email_shared_both_active", recent, long_ago, contact)


def _addresses(stage: Stage) -> None:
    factory = stage.factory
    stage.case("person_without_email", stage.person("", stage.group, email=None))
    stage.case("person_blank_email", stage.person("", stage.group, email=""))
    loud = stage.person("", email="Loud.Person@GABLEWORKS.example.com")
    quiet = factory.contact("loud.person@gableworks.example.com", "Loud", "Person", account=stage.partner)
    stage.case("person_upper_case_email", loud, quiet)


def _others(stage: Stage) -> None:
    factory = stage.factory
    gone = [ids.uuid(factory.rng), ids.uuid(factory.rng)]
    factory.join(stage.second_group, *gone)
    stage.case("members_gone", stage.second_group, *gone)
    stage.case("person_compound_id", stage.person("compound.id", stage.group, id=ids.compound(factory.rng)))
    stage.case("person_never_active", _never_active(stage))
    stage.case("person_unsubscribed", stage.person("unsubscribed", stage.group, unsubscribed=True))
    outside = factory.person("outside@elsewhere.example.net", "Out", "Side")
    factory.completion(outside, stage.certification, days_ago=30)
    stage.case("person_outside", outside)


def _never_active(stage: Stage) -> Person:
    return stage.person(
        "never.active",
        stage.group,
        holds=False,
        activated_at=None,
        last_active_at=None,
        registration_status="invited",
        omits_empty=True,
    )
