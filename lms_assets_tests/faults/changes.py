"""What may happen at the vendors between two runs, by name; each picks its victims with the dice."""

from __future__ import annotations

import random
from collections.abc import Callable

from lms_assets.sandbox.server.server import SandboxHandle

Change = Callable[[SandboxHandle, random.Random], object]


def _person(at: SandboxHandle, dice: random.Random) -> str:
    return dice.choice(sorted(at.vendor_state.people))


def _account(at: SandboxHandle, dice: random.Random) -> int:
    return dice.choice(sorted(at.vendor_state.accounts))


def _contact(at: SandboxHandle, dice: random.Random) -> int:
    return dice.choice(sorted(at.vendor_state.users))


def _group(at: SandboxHandle, dice: random.Random) -> str:
    return dice.choice(sorted(at.vendor_state.groups))


def _course(at: SandboxHandle, dice: random.Random) -> str:
    return dice.choice(sorted(at.vendor_state.course_properties))


def _member(at: SandboxHandle, dice: random.Random) -> tuple[str, str]:
    filled = sorted(group for group, members in at.vendor_state.memberships.items() if members)
    group = dice.choice(filled)
    return group, dice.choice(sorted(at.vendor_state.memberships[group]))


def _leave(at: SandboxHandle, dice: random.Random) -> None:
    group, person = _member(at, dice)
    at.mutate("remove_member", group=group, person=person)


def _number(dice: random.Random) -> int:
    return dice.randint(1, 10**9)


def _new_member(at: SandboxHandle, dice: random.Random) -> None:
    person = at.mutate("add_person", email=f"new{_number(dice)}@example.com")
    at.mutate("add_member", group=_group(at, dice), person=person)


def _new_partner(at: SandboxHandle, dice: random.Random) -> None:
    name = f"{dice.choice(('Amber', 'Birch', 'Cobalt'))}{dice.choice(('field', 'works'))} {dice.randint(1, 10**6)}"
    account = at.mutate("add_account", name=name)
    group = at.mutate("add_group", name=f"{name} GmbH", account=account)
    at.mutate("add_member", group=group, person=_person(at, dice))
    at.mutate("add_contact", email=f"contact{_number(dice)}@example.com", account=account)


CHANGES: dict[str, Change] = {
    "new member": _new_member,
    "new partner": _new_partner,
    "member joins": lambda at, dice: at.mutate("add_member", group=_group(at, dice), person=_person(at, dice)),
    "member leaves": lambda at, dice: at.mutate(
        "remove_member", **dict(zip(("group", "person"), _member(at, dice), strict=True))
    ),
    "person deleted": lambda at, dice: at.mutate(
        "delete_person", person=_person(at, dice), keep_memberships=dice.random() < 0.5
    ),
    "person disabled": lambda at, dice: at.mutate(
        "disable_person", person=_person(at, dice), dated=dice.random() < 0.5
    ),
    "person enabled": lambda at, dice: at.mutate("enable_person", person=_person(at, dice)),
    "person's e-mail moves": lambda at, dice: at.mutate(
        "change_person_email", person=_person(at, dice), email=f"moved{_number(dice)}@example.com"
    ),
    "course completed": lambda at, dice: at.mutate(
        "complete_course", person=_person(at, dice), course=_course(at, dice)
    ),
    "transcript removed": lambda at, dice: at.mutate(
        "remove_transcript", transcript=dice.choice(sorted(row.id for row in at.vendor_state.every_transcript()))
    ),
    "points changed": lambda at, dice: at.mutate(
        "set_npcu", course=_course(at, dice), npcu=dice.choice((0, 1, 2, "2", "x"))
    ),
    "course published": lambda at, dice: at.mutate("add_course", name="Nintex RPA basics", npcu=dice.choice((0, 1, 2))),
    "group renamed": lambda at, dice: at.mutate("rename_group", group=_group(at, dice), name=f"Group {_number(dice)}"),
    "group deleted": lambda at, dice: at.mutate("delete_group", group=_group(at, dice)),
    "account renamed": lambda at, dice: at.mutate(
        "rename_account", account=_account(at, dice), name=f"Renamed {_number(dice)}"
    ),
    "account deleted": lambda at, dice: at.mutate("delete_account", account=_account(at, dice)),
    "tier changed": lambda at, dice: at.mutate(
        "set_account",
        account=_account(at, dice),
        fields={"partner_tier": dice.choice(("Premier", "Select", "Pending", None, "Registered"))},
    ),
    "contact deleted": lambda at, dice: at.mutate("delete_contact", contact=_contact(at, dice)),
    "contact's status": lambda at, dice: at.mutate(
        "set_contact", contact=_contact(at, dice), fields={"contact_status": dice.choice(("Active", "Inactive"))}
    ),
    "contact moves": lambda at, dice: at.mutate(
        "set_contact", contact=_contact(at, dice), fields={"account_id": _account(at, dice)}
    ),
}
