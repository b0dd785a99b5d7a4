"""Tier 2: who learns, and for whom. `users`, `groups`, `memberships`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from typing import Any

import dagster as dg

from lms_assets.assets.define import asset_of
from lms_assets.assets.group_sync import GroupSync
from lms_assets.assets.intake import describe
from lms_assets.assets.membership_sync import MembershipSync
from lms_assets.assets.step import or_keep_last_good, sync_step
from lms_assets.assets.user_sync import UserSync
from lms_assets.resources import Connections


@asset_of("users", table="lms_users")
def users(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every LMS account, note who is disabled or gone, and link contacts to accounts by e-mail."""
    with sync_step(context, lms, "users") as step:
        sync = UserSync(step)
        with lms.northpass() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.intake.outcome())
        describe(step, sync.intake)
        people = sync.intake.accepted
        return step.result(
            len(people),
            active=sum(user.is_active for user in people),
            without_email=sum(user.email is None for user in people),
        )


@asset_of("groups", table="lms_groups")
def groups(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every group, find the partner each belongs to, and deactivate those that are gone or left out."""
    with sync_step(context, lms, "groups") as step:
        sync = GroupSync(step)
        with lms.northpass() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.intake.outcome())
        describe(step, sync.intake)
        return step.result(len(sync.intake.accepted), **sync.figures())


@asset_of("memberships", table="lms_group_members")
def memberships(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch the members of each partner's group. When that fails, the last good members stay and a check says so."""
    return or_keep_last_good(context, "memberships", lambda: _memberships(context, lms))


def _memberships(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    with sync_step(context, lms, "memberships") as step:
        sync = MembershipSync(step)
        with lms.northpass() as client:
            sync.read(client)
            step.used(client.http)
        lists = sync.lists
        step.write(sync.write, failures=lists.failures, complete=not lists.incomplete, details=lists.details())
        return step.result(sum(len(members) for members in lists.complete.values()), **sync.figures())
