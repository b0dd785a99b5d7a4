"""The edge cases, present at every scale, each under a name in `vendor_state.cases`.

`CASES` says for each name which ids stand in `vendor_state.cases[name]`, in order. Add a case in one of
this room's modules and its line here: a test compares the two.
"""

from __future__ import annotations

from lms_assets.sandbox.edge_cases import accounts as edge_case_accounts
from lms_assets.sandbox.edge_cases import contacts as edge_case_contacts
from lms_assets.sandbox.edge_cases import courses as edge_case_courses
from lms_assets.sandbox.edge_cases import names as edge_case_names
from lms_assets.sandbox.edge_cases import people as edge_case_people
from lms_assets.sandbox.edge_cases import transcripts as edge_case_transcripts
from lms_assets.sandbox.edge_cases.stage import Stage
from lms_assets.sandbox.state.factory import Factory
from lms_assets.sandbox.state.vendor_state import Person

CASES: dict[str, str] = {
    **edge_case_courses.CASES,
    **edge_case_accounts.CASES,
    **edge_case_names.CASES,
    **edge_case_people.CASES,
    **edge_case_contacts.CASES,
    **edge_case_transcripts.CASES,
    "group_all_partners": "group: kept, has everybody with partner access as member",
    "group_all_users": "group: left out, has everybody as member",
}


def add_cases(factory: Factory) -> list[Person]:
    """Add every case; returns the people of it who have partner access."""
    stage = Stage(factory)
    edge_case_courses.add(stage)
    edge_case_accounts.add(stage)
    edge_case_names.add(stage)
    edge_case_people.add(stage)
    edge_case_contacts.add(stage)
    edge_case_transcripts.add(stage)
    return stage.insiders


def add_groups_of_everybody(factory: Factory, insiders: list[Person]) -> None:
    """`All Partners` and `All Users` (domain rules, groups that are not partners')."""
    partners, users = factory.group("All Partners"), factory.group("All Users")
    factory.join(partners, *insiders)
    factory.join(users, *factory.vendor_state.people.values())
    factory.vendor_state.cases |= {"group_all_partners": [partners.id], "group_all_users": [users.id]}
