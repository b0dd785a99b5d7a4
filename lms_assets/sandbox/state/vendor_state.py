"""The sandbox's vendor state: what both vendors know, as plain data. No generation, no HTTP, no rules of the product.

Texts and numbers are the vendors' own: instants are text such as `2026-01-31T02:00:00Z`, Northpass ids are text,
Impartner ids are integers. None means the vendor has no value. Dictionaries keep the vendors' listing order.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Person:
    """A Northpass person (a learner). `omits_empty`: empty attributes are missing from answers instead of null."""

    id: str
    email: str | None
    first_name: str
    last_name: str
    created_at: str
    updated_at: str
    disabled: bool = False
    activated_at: str | None = None
    last_active_at: str | None = None
    deactivated_at: str | None = None
    registration_status: str = "registered"
    unsubscribed: bool = False
    sso_uid: str | None = None
    omits_empty: bool = False


@dataclass(slots=True)
class Group:
    """A Northpass group. `user_count_error` is added to the count shown; `empty_is_404`: how it lists no members."""

    id: str
    name: str
    created_at: str
    updated_at: str
    description: str | None = None
    user_count_error: int = 0
    empty_is_404: bool = False


@dataclass(slots=True)
class Membership:
    """A person in a group. `person_id` may name a person who no longer exists."""

    id: str
    group_id: str
    person_id: str
    created_at: str


@dataclass(slots=True)
class Course:
    """A course that `/courses` lists."""

    id: str
    name: str
    status: str
    permalink: str
    full_description: str | None
    created_at: str
    updated_at: str
    unpublished_changes: bool = False


@dataclass(slots=True)
class CourseProperties:
    """The custom properties of a course; also of older versions that `/courses` no longer lists.

    `properties` is served as it is: `npcu` may be a number, text, "", null or missing. `forbidden`: asking for
    this one by id answers 403.
    """

    id: str
    properties: dict[str, Any]
    forbidden: bool = False


@dataclass(slots=True)
class Transcript:
    """One row of a person's learning record. `expiry_attribute` is the name under which the expiry is served."""

    id: str
    person_id: str
    name: str
    resource_type: str
    resource_id: str
    progress_status: str
    progress: int
    enrolled_at: str | None
    started_at: str | None = None
    completed_at: str | None = None
    last_active_at: str | None = None
    expires_at: str | None = None
    expiry_attribute: str = "expires_at"
    attempt_number: int = 1
    version_number: int = 1
    score: float | None = None
    has_certificate: bool = False


@dataclass(slots=True)
class Webhook:
    """One webhook message sent. The same event (`event_id`) appears once for each subscribed endpoint.

    `shape`: where the person stands (`northpass_json.WEBHOOK_SHAPES`).
    """

    id: str
    event_id: str
    type: str
    person_id: str
    course_id: str
    created_at: str
    url: str
    shape: str = "relationship"


@dataclass(slots=True)
class Account:
    """An Impartner account (partner). The last eight fields are the push's targets."""

    id: int
    name: str | None
    created: str
    updated: str
    partner_tier: str | None = None
    account_status: str | None = "Active"
    account_owner: str | None = None
    account_owner_email: str | None = None
    partner_type: str | None = None
    website: str | None = None
    crm_id: str | None = None
    mailing_city: str | None = None
    mailing_country: str | None = None
    region_id: int | None = None
    member_count: int = 0
    parent_account_id: int | None = None
    primary_user_id: int | None = None
    is_active: bool = True
    is_test: bool = False
    nintex_ce_certifications: int | None = None
    nintex_k2_certifications: int | None = None
    nintex_for_salesforce_certifications: int | None = None
    nintex_gtm_certifications: int | None = None
    total_npcu: int | None = None
    lms_account_id: str | None = None
    lms_group_name: str | None = None
    lms_training_dashboard: str | None = None


@dataclass(slots=True)
class User:
    """An Impartner user (contact)."""

    id: int
    email: str | None
    first_name: str | None
    last_name: str | None
    created: str
    updated: str
    title: str | None = None
    phone: str | None = None
    account_id: int | None = None
    account_name: str | None = None
    contact_status: str | None = "Active"
    is_active: bool = True
    crm_id: str | None = None


@dataclass(slots=True)
class Lead:
    """An Impartner lead."""

    id: int
    first_name: str | None
    last_name: str | None
    email: str | None
    created: str
    updated: str
    phone: str | None = None
    title: str | None = None
    status_id: int | None = None
    source: str | None = None
    description: str | None = None
    crm_id: str | None = None
    partner_account_id: int | None = None
    is_converted: bool = False
    converted_date: str | None = None


@dataclass(slots=True)
class Lookup:
    """A row of `Region` or `LeadStatus`."""

    id: int
    name: str


@dataclass(slots=True)
class Deletion:
    """An Impartner record that was deleted: what `_deleted` answers from. `object` as in the URL, e.g. Account."""

    object: str
    id: int
    at: str


@dataclass
class VendorState:
    """Everything, by id. Change it through `changes`, or call `touched` afterwards: pages are cached by revision.

    * `memberships`: group id -> person id -> Membership.
    * `transcripts`: person id -> rows, oldest first. A person without any has no key.
    * `cases`: name of an edge-case case -> the ids it consists of, in the order told in `edge_case`.
    * `intended_links`: group id -> id of the account it is meant for, None for a group that must stay unlinked.
    """

    seed: int
    scale: float
    now: str
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    memberships: dict[str, dict[str, Membership]] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    course_properties: dict[str, CourseProperties] = field(default_factory=dict)
    transcripts: dict[str, list[Transcript]] = field(default_factory=dict)
    webhooks: list[Webhook] = field(default_factory=list)
    accounts: dict[int, Account] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    leads: dict[int, Lead] = field(default_factory=dict)
    regions: dict[int, Lookup] = field(default_factory=dict)
    lead_statuses: dict[int, Lookup] = field(default_factory=dict)
    deletions: list[Deletion] = field(default_factory=list)
    cases: dict[str, list[str | int]] = field(default_factory=dict)
    intended_links: dict[str, int | None] = field(default_factory=dict)
    revisions: Counter[str] = field(default_factory=Counter, repr=False)

    def touched(self, *collections: str) -> None:
        """Say that these collections (attribute names) changed, so that answers made before are recreated."""
        self.revisions.update(collections)

    def user_count(self, group: Group) -> int:
        """The member count that the vendor shows for a group."""
        return len(self.memberships.get(group.id, ())) + group.user_count_error

    def every_transcript(self) -> Iterator[Transcript]:
        """All transcripts of all people."""
        for rows in self.transcripts.values():
            yield from rows

    def state(self) -> dict[str, Any]:
        """The whole vendor state as JSON-ready data: each collection a list of flat objects (field names as above)."""
        everything: dict[str, Any] = {"seed": self.seed, "scale": self.scale, "now": self.now}
        everything |= {name: [as_dict(row) for row in rows] for name, rows in self._collections().items()}
        for group in everything["groups"]:
            group["user_count"] = self.user_count(self.groups[group["id"]])
        return everything | {"cases": self.cases, "intended_links": self.intended_links}

    def digest(self) -> str:
        """SHA-256 over the state: equal digests mean equal vendor states."""
        text = json.dumps(self.state(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _collections(self) -> dict[str, list[Any]]:
        return {
            "people": list(self.people.values()),
            "groups": list(self.groups.values()),
            "memberships": [row for rows in self.memberships.values() for row in rows.values()],
            "courses": list(self.courses.values()),
            "course_properties": list(self.course_properties.values()),
            "transcripts": list(self.every_transcript()),
            "webhooks": self.webhooks,
            "accounts": list(self.accounts.values()),
            "users": list(self.users.values()),
            "leads": list(self.leads.values()),
            "regions": list(self.regions.values()),
            "lead_statuses": list(self.lead_statuses.values()),
            "deletions": self.deletions,
        }


def as_dict(row: Any) -> dict[str, Any]:
    """A row's own fields as a flat dictionary (not a deep copy)."""
    return {entry.name: getattr(row, entry.name) for entry in fields(row)}
