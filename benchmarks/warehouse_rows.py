"""Made-up rows for the warehouse at the real volumes times a scale: people, contacts, groups, courses, enrollments."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table

from lms_assets.sandbox.state.volumes import Volumes
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
BEGUN = NOW - timedelta(hours=1)
CATEGORIES = ("nintex_ce", "nintex_k2", "nintex_salesforce", "go_to_market", None)
Rows = Iterator[dict[str, Any]]


def uuid(kind: str, number: int) -> str:
    """An id as the LMS gives them: scattered, the same for the same number."""
    return str(random.Random(f"{kind}/{number}").getrandbits(128))


def fill(warehouse: Warehouse, scale: float) -> int:
    """Store everything that a chain has stored before it counts; gives the number of rows."""
    volumes = Volumes.at(scale)
    warehouse.upgrade()
    tables: list[tuple[Table, Rows, tuple[str, ...]]] = [
        (t.partners, partners(volumes), ("id",)),
        (t.lms_courses, courses(volumes), ("id",)),
        (t.lms_groups, groups(volumes), ("id",)),
        (t.lms_users, people(volumes), ("id",)),
        (t.lms_group_members, members(volumes), ("group_id", "user_id")),
        (t.contacts, contacts(volumes), ("id",)),
        (t.lms_enrollments, enrollments(volumes), ("id",)),
    ]
    written = 0
    for table, rows, key in tables:

        def work(connection: Connection, table: Table = table, rows: Rows = rows, key: tuple[str, ...] = key) -> int:
            return upsert(connection, table, rows, key=key, now=NOW).created

        written += warehouse.in_transaction(work, attempts=1)
    for sync_type in ("groups", "impartner_contacts", "users"):
        log = sync_log.start(warehouse, sync_type, now=NOW)
        with warehouse.transaction() as connection:
            details = {"listing_complete": True}
            sync_log.complete(connection, log, now=NOW, counts=SyncCounts(), api_calls=0, details=details)
    return written


def partners(volumes: Volumes) -> Rows:
    for number in range(1, volumes.kept_partners + 1):
        yield {
            "id": number,
            "account_name": f"Partner {number} Consulting",
            "partner_tier": "Select",
            "impartner_id": 1000 + number,
            "salesforce_id": f"001{number:012d}",
            "is_active": True,
            "identity_changed_at": BEGUN,
        }


def courses(volumes: Volumes) -> Rows:
    for number in range(volumes.course_properties):
        npcu = number % 5 % 3
        yield {
            "id": uuid("course", number),
            "name": f"Course {number}",
            "npcu_value": npcu,
            "is_certification": npcu > 0,
            "certification_category": CATEGORIES[number % len(CATEGORIES)] if npcu else None,
            "category_origin": "rule",
            "status": "live",
        }


def groups(volumes: Volumes) -> Rows:
    for number in range(volumes.groups):
        yield {
            "id": uuid("group", number),
            "name": f"ptr_Partner {number} Consulting",
            "partner_id": number % volumes.kept_partners + 1 if number < volumes.partner_groups else None,
            "link_method": "exact" if number < volumes.partner_groups else "none",
            "is_active": True,
            "members_synced_at": NOW,
            "linked_at": BEGUN,
        }


def people(volumes: Volumes) -> Rows:
    for number in range(volumes.people):
        active = number % 31 != 0
        yield {
            "id": uuid("person", number),
            "email": f"person.{number}@learner.example.org",
            "first_name": "Robin",
            "last_name": f"Larch {number}",
            "status": "active" if active else "deactivated",
            "is_active": active,
            "last_active_at": NOW - timedelta(days=number % 400),
            "updated_at_lms": NOW - timedelta(days=number % 400),
            "enrollment_synced_at": NOW,
            "transcript_read_at": NOW,
            "transcript_stored_at": NOW,
        }


def members(volumes: Volumes) -> Rows:
    for number in range(volumes.partner_people):
        group = uuid("group", number % volumes.partner_groups)
        yield {"group_id": group, "user_id": uuid("person", number), "added_at": BEGUN, "pending_source": "api"}


def contacts(volumes: Volumes) -> Rows:
    for number in range(volumes.contacts):
        learner = number < volumes.partner_people
        yield {
            "id": number + 1,
            "partner_id": number % volumes.kept_partners + 1 if number % 20 else None,
            "email": f"person.{number}@learner.example.org" if learner else f"contact.{number}@partner.example.org",
            "first_name": "Robin",
            "last_name": f"Larch {number}",
            "title": "Consultant",
            "phone": f"+1 555 {number:07d}",
            "is_primary": number < volumes.kept_partners,
            "impartner_id": 50_000 + number,
            "is_active": True,
            "deleted_at": None,
            "crm_last_modified": NOW - timedelta(days=number % 700),
            "identity_changed_at": BEGUN,
        }


def enrollments(volumes: Volumes) -> Rows:
    rng = random.Random(1)
    for number in range(volumes.transcripts):
        person = rng.randrange(volumes.partner_people if rng.random() < 0.7 else volumes.people)
        done = NOW - timedelta(seconds=rng.randrange(1300 * 86_400))
        status = "completed" if rng.random() < 0.7 else "in_progress"
        yield {
            "id": uuid("transcript", number),
            "user_id": uuid("person", person),
            "course_id": uuid("course", rng.randrange(volumes.course_properties)),
            "status": status,
            "progress_percent": 100 if status == "completed" else 40,
            "enrolled_at": done - timedelta(days=5),
            "started_at": done - timedelta(days=4),
            "completed_at": done if status == "completed" else None,
            "expires_at": done + timedelta(days=730) if status == "completed" and number % 5 else None,
            "score": Decimal(number % 101),
        }
