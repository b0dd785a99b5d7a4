"""Adds single records to a vendor state with sensible defaults and fresh ids. Used by the builders and the changes."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from lms_assets.sandbox.state import ids, names
from lms_assets.sandbox.state.timestamps import to_text
from lms_assets.sandbox.state.vendor_state import (
    Account,
    Course,
    CourseProperties,
    Group,
    Lead,
    Membership,
    Person,
    Transcript,
    User,
    VendorState,
)


class Factory:
    """One seeded source of ids and times, relative to `now` (aware UTC)."""

    def __init__(self, vendor_state: VendorState, rng: random.Random, now: datetime) -> None:
        self.vendor_state = vendor_state
        self.rng = rng
        self.now = now

    def ago(self, *, days: float = 0, seconds: float = 0) -> str:
        """The instant that long before now (after, when negative), in the vendors' form."""
        return to_text(self.now - timedelta(days=days, seconds=seconds))

    def person(self, email: str | None, first_name: str, last_name: str, **values: Any) -> Person:
        """A person, active unless told otherwise."""
        created = self.ago(days=self.rng.randint(30, 1500))
        defaults: dict[str, Any] = {
            "id": ids.uuid(self.rng),
            "created_at": created,
            "updated_at": self.ago(days=self.rng.randint(1, 29)),
            "activated_at": created,
            "last_active_at": self.ago(days=self.rng.randint(1, 29)),
        }
        row = Person(email=email, first_name=first_name, last_name=last_name, **(defaults | values))
        self.vendor_state.people[row.id] = row
        return row

    def group(self, name: str, account: Account | None = None, **values: Any) -> Group:
        """A group meant for `account`; None means that it must stay unlinked."""
        defaults: dict[str, Any] = {
            "id": ids.uuid(self.rng),
            "created_at": self.ago(days=self.rng.randint(200, 1500)),
            "updated_at": self.ago(days=self.rng.randint(1, 200)),
        }
        row = Group(name=name, **(defaults | values))
        self.vendor_state.groups[row.id] = row
        self.vendor_state.memberships[row.id] = {}
        self.vendor_state.intended_links[row.id] = account.id if account else None
        return row

    def join(self, group: Group, *people: Person | str, membership_id: str | None = None) -> None:
        """Put people (or ids of people who are gone) into a group; who is in already stays."""
        members = self.vendor_state.memberships[group.id]
        for person in people:
            person_id = person if isinstance(person, str) else person.id
            if person_id not in members:
                row_id = membership_id or ids.uuid(self.rng)
                members[person_id] = Membership(row_id, group.id, person_id, self.ago(days=self.rng.randint(1, 400)))

    def course(self, name: str, npcu: Any = ..., *, listed: bool = True, **values: Any) -> str:
        """A course and its properties, returned as its id; `...` leaves `npcu` out; unlisted = archived version."""
        course_id = values.pop("id", None) or ids.uuid(self.rng)
        forbidden = values.pop("forbidden", False)
        properties: dict[str, Any] = {"name": name} | ({} if npcu is ... else {"npcu": npcu})
        self.vendor_state.course_properties[course_id] = CourseProperties(course_id, properties, forbidden)
        if listed:
            defaults: dict[str, Any] = {
                "status": "live",
                "permalink": f"course-{course_id[:8]}",
                "full_description": f"<p>About {name}.</p>",
                "created_at": self.ago(days=self.rng.randint(300, 2000)),
                "updated_at": self.ago(days=self.rng.randint(1, 300)),
            }
            self.vendor_state.courses[course_id] = Course(id=course_id, name=name, **(defaults | values))
        return course_id

    def course_name(self, course_id: str) -> str:
        """The name the vendor puts into transcripts of a course."""
        known = self.vendor_state.course_properties.get(course_id)
        return str(known.properties["name"]) if known else "Retired course"

    def completion(self, person: Person, course_id: str, *, days_ago: float, **values: Any) -> Transcript:
        """A completed course, expiring 730 days after completion unless `expires_at` is given (None: missing)."""
        completed = self.ago(days=days_ago)
        defaults: dict[str, Any] = {
            "progress_status": "completed",
            "progress": 100,
            "completed_at": completed,
            "expires_at": self.ago(days=days_ago - 730),
            "has_certificate": True,
            "score": 90.0,
            "last_active_at": completed,
        }
        return self.transcript(person, course_id, days_ago=days_ago, **(defaults | values))

    def transcript(self, person: Person, course_id: str, *, days_ago: float, **values: Any) -> Transcript:
        """Any transcript row; without further values: a course enrolled in `days_ago` and five days."""
        defaults: dict[str, Any] = {
            "id": ids.uuid(self.rng),
            "name": self.course_name(course_id),
            "resource_type": "course",
            "progress_status": "enrolled",
            "progress": 0,
            "enrolled_at": self.ago(days=days_ago + 5),
            "started_at": self.ago(days=days_ago + 4),
        }
        row = Transcript(person_id=person.id, resource_id=course_id, **(defaults | values))
        self.vendor_state.transcripts.setdefault(person.id, []).append(row)
        return row

    def account(self, name: str | None, tier: str | None = "Select", **values: Any) -> Account:
        """An account that counts as a partner unless told otherwise."""
        number = values.pop("id", None) or max(self.vendor_state.accounts, default=1000) + 1
        owner, owner_email = names.OWNERS[number % len(names.OWNERS)]
        defaults: dict[str, Any] = {
            "created": self.ago(days=self.rng.randint(400, 2000)),
            "updated": self.ago(days=self.rng.randint(1, 300)),
            "crm_id": ids.salesforce(self.rng, "001"),
            "account_owner": owner,
            "account_owner_email": owner_email,
            "partner_type": "Reseller",
            "mailing_country": "Germany",
            "region_id": 1,
        }
        row = Account(id=number, name=name, partner_tier=tier, **(defaults | values))
        self.vendor_state.accounts[number] = row
        return row

    def contact(self, email: str | None, first: str | None, last: str | None, **values: Any) -> User:
        """A contact; `account=` sets account id and name together."""
        account: Account | None = values.pop("account", None)
        number = values.pop("id", None) or max(self.vendor_state.users, default=50_000) + 1
        defaults: dict[str, Any] = {
            "created": self.ago(days=self.rng.randint(400, 2000)),
            "updated": self.ago(days=self.rng.randint(1, 300)),
            "crm_id": ids.salesforce(self.rng, "003"),
            "account_id": account.id if account else None,
            "account_name": account.name if account else None,
        }
        row = User(id=number, email=email, first_name=first, last_name=last, **(defaults | values))
        self.vendor_state.users[number] = row
        return row

    def lead(self, email: str | None, first: str | None, last: str | None, **values: Any) -> Lead:
        """A lead, without partner unless `partner_account_id` is given."""
        number = values.pop("id", None) or max(self.vendor_state.leads, default=200_000) + 1
        defaults: dict[str, Any] = {
            "created": self.ago(days=self.rng.randint(40, 900)),
            "updated": self.ago(days=self.rng.randint(1, 39)),
            "status_id": 1,
            "source": "Web",
        }
        row = Lead(id=number, email=email, first_name=first, last_name=last, **(defaults | values))
        self.vendor_state.leads[number] = row
        return row
