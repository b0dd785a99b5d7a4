"""What the edge cases share: two partners with groups, a few certifications, and people who hold one."""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.state.factory import Factory
from lms_assets.sandbox.state.vendor_state import Account, Group, Person


class Stage:
    """The props of the edge cases. `insiders` collects the people with partner access."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.vendor_state = factory.vendor_state
        self.insiders: list[Person] = []
        self.certification = factory.course("Automation Cloud Bridgework", 1)
        self.second_certification = factory.course("K2 Bridgework", 2)
        self.partner = factory.account("Gableworks Collective", "Premier")
        self.group = factory.group("Gableworks Collective", self.partner)
        self.second_partner = factory.account("Thornfield Atelier", "Certified")
        self.second_group = factory.group("ptr_Thornfield Atelier", self.second_partner)

    def case(self, name: str, *found: Any) -> None:
        """Record the ids of a case; records are named by their ids."""
        self.vendor_state.cases[name] = [getattr(entry, "id", entry) for entry in found]

    def person(self, local: str, *groups: Group, holds: bool = True, **values: Any) -> Person:
        """An insider `local`@gableworks.example.com in these groups, as a rule with a certification in force."""
        values = {"email": f"{local}@gableworks.example.com", "first_name": "Case", "last_name": local} | values
        person = self.factory.person(values.pop("email"), values.pop("first_name"), values.pop("last_name"), **values)
        for group in groups:
            self.factory.join(group, person)
        if holds:
            self.factory.completion(person, self.certification, days_ago=100 + 7 * (len(self.insiders) % 60))
        self.insiders.append(person)
        return person

    def partner_with_group(self, account_name: str | None, group_name: str, **values: Any) -> tuple[Account, Group]:
        """A partner and the group meant for it, with one member who holds a certification."""
        account = self.factory.account(account_name, **values)
        group = self.factory.group(group_name, account)
        self.person(f"member.of.{account.id}", group)
        return account, group

    def unlinked_group(self, name: str) -> Group:
        """A group that must stay unlinked, with one member who holds a certification (and so counts nowhere)."""
        group = self.factory.group(name)
        self.person(f"member.of.group.{len(self.vendor_state.groups)}", group)
        return group
