"""The awkward cases, present at every scale, each under a name in `world.cases`.

`CASES` says for each name which ids stand in `world.cases[name]`, in order. Add a case in one of the `awkward_*`
modules and its line here: a test compares the two.
"""

from __future__ import annotations

from lms_assets.sandbox.edge_cases import accounts as awkward_accounts
from lms_assets.sandbox.edge_cases import contacts as awkward_contacts
from lms_assets.sandbox.edge_cases import courses as awkward_courses
from lms_assets.sandbox.edge_cases import names as awkward_names
from lms_assets.sandbox.edge_cases import people as awkward_people
from lms_assets.sandbox.edge_cases import transcripts as awkward_transcripts
from lms_assets.sandbox.edge_cases.stage import Stage
from lms_assets.sandbox.state.factory import Maker
from lms_assets.sandbox.state.world import Person

CASES: dict[str, str] = {
    **awkward_courses.CASES,
    **awkward_accounts.CASES,
    **awkward_names.CASES,
    **awkward_people.CASES,
    **awkward_contacts.CASES,
    **awkward_transcripts.CASES,
    "group_all_partners": "group: kept, has everybody with partner access as member",
    "group_all_users": "group: left out, has everybody as member",
}


def add_cases(maker: Maker) -> list[Person]:
    """Add every case; returns the people of it who have partner access."""
    stage = Stage(maker)
    awkward_courses.add(stage)
    awkward_accounts.add(stage)
    awkward_names.add(stage)
    awkward_people.add(stage)
    awkward_contacts.add(stage)
    awkward_transcripts.add(stage)
    return stage.insiders


def add_groups_of_everybody(maker: Maker, insiders: list[Person]) -> None:
    """`All Partners` and `All Users` (domain rules, groups that are not partners')."""
    partners, users = maker.group("All Partners"), maker.group("All Users")
    maker.join(partners, *insiders)
    maker.join(users, *maker.world.people.values())
    maker.world.cases |= {"group_all_partners": [partners.id], "group_all_users": [users.id]}
