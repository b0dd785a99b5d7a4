"""What the commands and a run's summary print of an offboarding plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lms_assets.domain.safety.offboarding import PlanItem
from lms_assets.domain.wording import number_of
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.offboarding_plans import items_of, plan_row


def print_outcome(console: Console, warehouse: Warehouse, plan_id: int) -> None:
    """Print what has come of a plan after a run applied it; nothing when there is no such plan."""
    with warehouse.read() as connection:
        plan, items = plan_row(connection, plan_id), items_of(connection, plan_id)
    if plan is not None:
        console.print(Text(f"Plan {plan.id} is {plan.status}: {progress_text(items)}"), soft_wrap=True)


def removals_text(removals: object, people: object) -> str:
    """The size of a plan: `3 removals of 1 person`."""
    return f"{number_of(removals, 'removal')} of {number_of(people, 'person', 'people')}"


def progress_text(items: Sequence[PlanItem]) -> str:
    """How many removals a plan has, and how many of them are in which state."""
    people = len({each.removal.user_id for each in items})
    if not items:
        return "nobody is to be taken out of a group"
    states = Counter(each.status for each in items)
    return removals_text(len(items), people) + ": " + ", ".join(f"{n} {state}" for state, n in states.items())


def how_to_review(plan_id: int) -> str:
    """What a person does with a proposed plan."""
    return (
        f"Look at it: lms-assets offboarding show {plan_id}. If it is right: lms-assets offboarding review {plan_id} "
        f"--by NAME, and within a day lms-assets run offboarding_apply --plan {plan_id}"
    )
