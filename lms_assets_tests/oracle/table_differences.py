"""The portal's tables against the oracle: plain rows in, one line for each difference out. No SQL, no product code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lms_assets_tests.oracle.counting import Expected
from lms_assets_tests.oracle.crm_deactivations import Kept

Row = Mapping[str, Any]


def differences_in_partners(rows: Iterable[Row], expected: Expected) -> list[str]:
    """Rows of `partners` (all of them) against the counts; inactive rows have only to be none that should count."""
    found = []
    active = {row["impartner_id"]: row for row in rows if row["is_active"]}
    for number in sorted(set(expected.partners) - set(active)):
        found.append(f"partner {number} is missing or inactive")
    for number in sorted(set(active) - set(expected.partners)):
        found.append(f"partner {number} is active and should not be")
    for number in sorted(set(active) & set(expected.partners)):
        for column, right in expected.partners[number].counts.items():
            if active[number][column] is None or int(active[number][column]) != int(right):
                found.append(f"partner {number}: {column} is {active[number][column]}, not {int(right)}")
    return found


def differences_in_records(tables: Mapping[str, Iterable[Row]], kept: Kept) -> list[str]:
    """`contacts`, `lms_users`, `lms_groups` and `lms_group_members` against what a complete sync leaves active.

    `lms_group_members` is compared over the groups that the oracle links.
    """
    users = list(tables["lms_users"])
    said: dict[str, tuple[set[Any], frozenset[Any]]] = {
        "contacts": ({row["impartner_id"] for row in tables["contacts"] if row["is_active"]}, kept.contacts),
        "active users": ({row["id"] for row in users if row["status"] == "active"}, kept.users),
        "disabled users": ({row["id"] for row in users if row["status"] == "deactivated"}, kept.disabled_users),
        "groups": ({row["id"] for row in tables["lms_groups"] if row["is_active"]}, kept.groups),
    }
    linked = {group_id for group_id, _ in kept.memberships}
    pairs = {(row["group_id"], row["user_id"]) for row in tables["lms_group_members"] if row["group_id"] in linked}
    said["memberships"] = (pairs, kept.memberships)
    found = []
    for name, (stored, right) in said.items():
        if stored != right:
            found.append(f"{name}: missing {sorted(right - stored)[:5]}, too many {sorted(stored - right)[:5]}")
    return found


def differences_in_crm(accounts: Iterable[Row], expected: Expected) -> list[str]:
    """The sandbox's accounts (rows of its state) against what a push of all counts leaves in them."""
    columns = {
        "nintex_ce_certifications": "nintex_ce",
        "nintex_k2_certifications": "nintex_k2",
        "nintex_for_salesforce_certifications": "nintex_salesforce",
        "nintex_gtm_certifications": "go_to_market",
    }
    found = []
    for account in accounts:
        partner = expected.partners.get(account["id"])
        if partner is None:
            continue
        right: dict[str, int] = {column: partner.by_category[category] for column, category in columns.items()}
        right["total_npcu"] = partner.total_npcu
        for column, value in right.items():
            if account[column] != value:
                found.append(f"account {account['id']}: {column} is {account[column]}, not {value}")
    return found
