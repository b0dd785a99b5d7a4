"""Short questions to a harness's tables and its sandbox's vendor state."""

from __future__ import annotations

from typing import Any

from lms_assets_tests.harness.chain import ChainHarness, ChainResult


def row_of(harness: ChainHarness, table: str, **wanted: Any) -> dict[str, Any]:
    """The one row with these values."""
    (found,) = [row for row in harness.rows(table) if all(row[name] == value for name, value in wanted.items())]
    return found


def sample_of(result: ChainResult, check: str) -> list[Any]:
    """What a check of this run shows of what is wrong."""
    of_checks = [each for each in result.events if each.event_type_value == "ASSET_CHECK_EVALUATION"]
    evaluations = [each.event_specific_data for each in of_checks]
    (found,) = [each for each in evaluations if each.check_name == check]
    return list(found.metadata["sample"].value)


def active_ids(harness: ChainHarness, table: str) -> set[Any]:
    """Ids of the rows that are active."""
    return {row["id"] for row in harness.rows(table) if row["is_active"]}


def pairs(harness: ChainHarness) -> set[tuple[str, str]]:
    """Every membership."""
    return {(row["group_id"], row["user_id"]) for row in harness.rows("lms_group_members")}


def a_partner_with_points(harness: ChainHarness) -> dict[str, Any]:
    """The active partner with fewest NPCU above 0: what becomes of it is no sudden fall of them all."""
    holders = [row for row in harness.rows("partners") if row["is_active"] and row["total_npcu"]]
    return min(holders, key=lambda row: (row["total_npcu"], row["id"]))


def people_by_group(harness: ChainHarness) -> dict[str, list[str]]:
    """The active members of each active group of a partner, sorted."""
    linked = {row["id"] for row in harness.rows("lms_groups") if row["partner_id"] and row["is_active"]}
    known = {row["id"] for row in harness.rows("lms_users") if row["is_active"]}
    members: dict[str, list[str]] = {}
    for group_id, user_id in sorted(pairs(harness)):
        if group_id in linked and user_id in known:
            members.setdefault(group_id, []).append(user_id)
    return members


def a_group_of_people(harness: ChainHarness) -> tuple[str, list[str]]:
    """A small group of a partner with three active members at least, and their ids."""
    large = [item for item in people_by_group(harness).items() if len(item[1]) >= 3]
    return min(large, key=lambda item: (len(item[1]), item[0]))


def the_state(harness: ChainHarness) -> dict[str, set[Any]]:
    """What people would miss if it were gone: active rows, memberships and enrollments."""
    return {
        "partners": active_ids(harness, "partners"),
        "contacts": active_ids(harness, "contacts"),
        "users": active_ids(harness, "lms_users"),
        "groups": active_ids(harness, "lms_groups"),
        "memberships": pairs(harness),
        "enrollments": {row["id"] for row in harness.rows("lms_enrollments")},
    }
