"""`lms-assets migration`: five steps from the portal's old scheduler to this one, and where this installation stands.

Without an option it only reads. The old scheduler's tasks are switched off in one transaction, and can be switched on
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rich.console import Console

from lms_assets.automation.portal_tasks import TASKS, schedules_on
from lms_assets.console.command import quoted, settings_from_environment
from lms_assets.console.running.dagster_state import DagsterStateLost, dagster_instance
from lms_assets.console.tables import Output, Table, deliver
from lms_assets.domain.operations.health import DAEMON_REPORTS_WITHIN, age_text
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import TIMETABLE
from lms_assets.runs.active import daemon_seen
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, last_completed_chain
from lms_assets.warehouse.bookkeeping.portal_tasks import (
    EnabledTask,
    chain_is_configured,
    enabled_tasks,
    ensure_tasks,
    switch_off,
    switch_on_again,
    switched_off,
)
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import SchemaNotCurrent

NOT_DONE = 3
ENABLED = ("task_type", "task_name", "cron_expression", "last_run_at")
CHAIN_TASKS = tuple(task.task_type for task in TASKS if task.chain_order is not None)
# What an old scheduler calls the steps that this program does (domain rules, the chain), beside our own names of them.
DONE_BY_US = frozenset(
    {*(task.task_type for task in TASKS), "impartner_sync_full", "sync_users", "sync_groups", "sync_enrollments"}
)


@dataclass(frozen=True)
class Step:
    """One step of the migration: whether it is done, what was seen, and the command that does it or looks at it."""

    number: int
    name: str
    done: bool
    seen: str
    command: str


@dataclass(frozen=True)
class State:
    """What was seen of an installation; with a schema problem nothing of the warehouse is known."""

    schema_problem: str | None = None
    configured: bool = False
    on: Sequence[EnabledTask] = ()
    off_by_us: Sequence[str] = ()
    chain: ChainRow | None = None
    daemon: datetime | None = None
    schedules: frozenset[str] = frozenset()


def steps(state: State, now: datetime) -> tuple[Step, ...]:
    """The five steps as of `now` (UTC)."""
    current = state.schema_problem is None
    ours = [each.task_type for each in state.on if each.task_type in DONE_BY_US]
    alive = state.daemon is not None and now - state.daemon <= DAEMON_REPORTS_WITHIN
    off = [entry.schedule for entry in TIMETABLE if entry.schedule not in state.schedules]
    completed = state.chain.completed_at if state.chain else None
    return (
        Step(
            1, "columns and tables", current, state.schema_problem or "this version's", "lms-assets db upgrade --plan"
        ),
        Step(
            2,
            "chain configured",
            state.configured,
            f"{len(CHAIN_TASKS)} tasks in scheduled_tasks" if state.configured else "tasks have no place in the chain",
            "lms-assets migration --configure-chain",
        ),
        Step(
            3,
            "new scheduler",
            current and not ours and alive,
            _scheduler(ours, state, now, alive=alive),
            "lms-assets migration --switch-off-old" if ours else "dagster-daemon run -w workspace.yaml",
        ),
        Step(
            4,
            "chain by hand",
            completed is not None,
            f"completed {age_text(now - completed)} ago" if completed else "none has completed yet",
            f"lms-assets run {CHAIN}",
        ),
        Step(
            5,
            "schedules on",
            not off,
            f"off: {', '.join(off)}" if off else f"all {len(TIMETABLE)} are on",
            "dagster schedule start --start-all -w workspace.yaml",
        ),
    )


def _scheduler(ours: Sequence[str], state: State, now: datetime, *, alive: bool) -> str:
    said = [f"the old one still starts {', '.join(ours)}"] if ours else []
    if not alive:
        silent = f"has not reported for {age_text(now - state.daemon)}" if state.daemon else "never reported"
        said.append(f"the daemon {silent}")
    if state.off_by_us:
        said.append(f"switched off here: {', '.join(state.off_by_us)} (--undo switches them on again)")
    return "; ".join(said) or "the old one is off, the daemon runs"


def migration_command(console: Console, output: Output) -> int:
    """Print the five steps; returns 0 when all are done, else 3.

    Raises:
        ConfigurationError, WarehouseError: warehouse or Dagster's state cannot be asked.
    """
    now = datetime.now(UTC)
    state = _read_state()
    found = steps(state, now)
    others = [each for each in state.on if each.task_type not in DONE_BY_US]
    next_step = next((each for each in found if not each.done), None)
    tables = [
        Table("steps", ("number", "name", "done", "seen", "command"), list(map(asdict, found))),
        Table("enabled_tasks", ENABLED, list(map(asdict, state.on))),
    ]
    if not deliver(tables, output, console, facts={"next_command": next_step.command if next_step else None}):
        for each in found:
            mark = "[green]✓[/]" if each.done else "[yellow]○[/]"
            console.print(f"{mark} {each.number} {each.name:<19}{quoted(each.seen)}", highlight=False, soft_wrap=True)
        if others:
            names = ", ".join(each.task_type for each in others)
            told = f"Also on, and not done by this program, so left on: {names}"
            console.print(quoted(told), highlight=False, soft_wrap=True)
        told = f"Next: {next_step.command}" if next_step else "All five steps are done."
        console.print(quoted(told), highlight=False, soft_wrap=True)
    return NOT_DONE if next_step else 0


def configure_chain_command(console: Console) -> int:
    """Write the chain's tasks into `scheduled_tasks`; what people chose in rows that are there stays. Returns 0."""
    now = datetime.now(UTC)
    with _warehouse() as warehouse:
        nothing_runs = dict.fromkeys((task.task_type for task in TASKS), None)
        warehouse.in_transaction(lambda connection: ensure_tasks(connection, TASKS, CHAIN, nothing_runs, now))
    console.print(f"[green]✓[/] {len(TASKS)} tasks, {len(CHAIN_TASKS)} of them in {CHAIN}", highlight=False)
    return 0


def switch_off_command(console: Console) -> int:
    """Switch off what the old scheduler starts and this program does, in one transaction; returns 0."""
    with _warehouse() as warehouse:
        off = warehouse.in_transaction(lambda connection: switch_off(connection, DONE_BY_US, now=datetime.now(UTC)))
    told = (
        f"switched off: {', '.join(off)}. lms-assets migration --undo switches them on again" if off else "none was on"
    )
    console.print(f"[green]✓[/] {quoted(told)}", highlight=False, soft_wrap=True)
    return 0


def undo_command(console: Console) -> int:
    """Switch on again what `--switch-off-old` switched off, in one transaction; returns 0."""
    with _warehouse() as warehouse:
        again = warehouse.in_transaction(switch_on_again)
    told = f"on again: {', '.join(again)}" if again else "nothing was switched off here"
    console.print(f"[green]✓[/] {quoted(told)}", highlight=False, soft_wrap=True)
    return 0


def _warehouse() -> AbstractContextManager[Warehouse]:
    return Warehouse.opened(settings_from_environment().warehouse_url)


def _read_state() -> State:
    settings_from_environment()  # `.env` may be what names DAGSTER_HOME
    try:
        with dagster_instance() as instance:
            daemon, on = daemon_seen(instance), schedules_on(instance)
    except DagsterStateLost as problem:
        raise ConfigurationError([str(problem)]) from problem
    try:
        with _warehouse() as warehouse, warehouse.read() as connection:
            return State(
                configured=chain_is_configured(connection, CHAIN, CHAIN_TASKS),
                on=enabled_tasks(connection),
                off_by_us=switched_off(connection),
                chain=last_completed_chain(connection, CHAIN),
                daemon=daemon,
                schedules=on,
            )
    except SchemaNotCurrent as problem:
        return State(schema_problem=f"{problem.problem}", daemon=daemon, schedules=on)
