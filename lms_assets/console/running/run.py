"""`lms-assets run`: one job in the foreground, with progress and a summary.

It waits for its turn before it is made, and prints for which run; or it refuses at once. A chain that failed is gone on
with in a run that continues the first one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg
from rich.console import Console

from lms_assets.automation.alerting.alerts import look_after_quietly
from lms_assets.automation.chain_log import reconcile_chains
from lms_assets.checks.specs import CHAIN_IS_WHOLE, DEGRADING
from lms_assets.console.command import quoted, settings_from_environment
from lms_assets.console.offboarding_plans import print_outcome
from lms_assets.console.running.dagster_state import DagsterStateLost, dagster_instance, usable_home
from lms_assets.console.running.run_log import run_log, terminal_of_our_own
from lms_assets.console.running.runner import (
    CannotRun,
    RunOrder,
    RunResult,
    execute,
    hand_over,
    job_names,
    new_run_id,
    steps_of,
    takes_submissions,
)
from lms_assets.console.running.summary import StepsView, print_summary
from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX, close, final_status
from lms_assets.domain.safety.overrides import parse_overrides
from lms_assets.domain.safety.run_instants import OLDEST
from lms_assets.domain.schedule import APPLY_JOB, CHAIN, TRAILING_DAYS
from lms_assets.lineage import ASSETS_OF_JOBS, COVERED_BY_CHAIN, DAILY_FULL, NOT_REQUIRED, PARTITIONED_JOBS, ancestors
from lms_assets.run_tags import AS_OF_TAG, OFFBOARDING_PLAN_TAG, PUSH_PARTNER_TAG, RANGE_END, RANGE_START
from lms_assets.runs.active import Served, fingerprint, retry_is_coming, served_location
from lms_assets.runs.liveness import ACTIVE, fail_dead_runs
from lms_assets.runs.tags import allowing_tags, full_range_tags, partition_tags, trailing_days_tags
from lms_assets.runs.write_locks import LOOK_AGAIN_SECONDS, GroupIsBusy, groups_of, owner_of, writing
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.engine import Warehouse

Say = Callable[[str], None]


@contextmanager
def our_turn(
    instance: dg.DagsterInstance, warehouse: Warehouse, job: str, run_id: str, *, say: Say | None
) -> Iterator[None]:
    """Hold the locks of what the job writes, for the run that is to be made here.

    `say` prints for which run it waits, once each; None: not to wait.

    Raises:
        CannotRun: another run writes the same rows, and this one is not to wait.
    """
    groups = groups_of(steps_of(job))
    on_wait = None if say is None else _once(say)
    try:
        wait_for_others(instance, job, on_wait)
        with writing(warehouse, groups, owner_of(run_id, job), on_wait=on_wait):
            yield
    except GroupIsBusy as busy:
        raise CannotRun(f"{job} was not started: {busy}. Without --no-wait it waits for that run's end.") from busy


def wait_for_others(instance: dg.DagsterInstance, job: str, on_wait: Say | None) -> None:
    """Let runs of the same rows go first that have begun, or that Dagster is about to begin again by itself.

    Raises:
        GroupIsBusy: there is one, and this run is not to wait.
    """
    groups = set(groups_of(steps_of(job)))
    # A job's steps are asked of its definition, which takes long to make, only where the lineage does not know them.
    jobs = [name for name in job_names() if groups & set(groups_of(ASSETS_OF_JOBS.get(name) or steps_of(name)))]
    while (text := _who_goes_first(instance, jobs)) is not None:
        if on_wait is None:
            raise GroupIsBusy(text)
        on_wait(text)
        time.sleep(LOOK_AGAIN_SECONDS)


def _who_goes_first(instance: dg.DagsterInstance, jobs: list[str]) -> str | None:
    fail_dead_runs(instance)
    for job in jobs:
        for run in instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=ACTIVE), limit=1):
            return f"{job} is under way (run {run.run_id[:8]})"
        failed = retry_is_coming(instance, job, datetime.now(UTC))
        if failed is not None:
            return f"{job} failed and Dagster is about to run it again by itself (run {failed.run_id[:8]})"
    return None


def _once(say: Say) -> Say:
    said: set[str] = set()

    def wait(text: str) -> None:
        if text not in said:
            said.add(text)
            say(f"Waits: {text}")

    return wait


# Without the overrides: those are for one run, and a person gives them again.
KEPT_TAGS = (RANGE_START, RANGE_END, AS_OF_TAG)


def resumed_order(instance: dg.DagsterInstance, warehouse: Warehouse) -> RunOrder:
    """What is left of the last chain.

    Raises:
        CannotRun: the last chain did not fail, is too old to go on with, or is no longer known to Dagster.
    """
    with warehouse.read() as connection:
        row = latest_chain(connection, CHAIN)
    if row is None or row.status not in {"failed", "partial"} or row.run_id is None:
        raise CannotRun(
            "There is no failed chain to resume; the last one " + (row.status if row else "never ran") + "."
        )
    if datetime.now(UTC) - min(row.started_at, row.as_of or row.started_at) > OLDEST:
        raise CannotRun(f"The last failed chain is more than a day old; start a new one: lms-assets run {CHAIN}")
    root = instance.get_run_by_id(row.run_id)
    if root is None:
        raise CannotRun(f"Dagster no longer knows the run of that chain; start a new one: lms-assets run {CHAIN}")
    tags = {name: root.tags[name] for name in KEPT_TAGS if name in root.tags}
    planned = _planned_steps(instance, root)
    return RunOrder(CHAIN, tags, root.run_id, tuple(step for step in steps_left(row) if step in planned))


def _planned_steps(instance: dg.DagsterInstance, root: dg.DagsterRun) -> frozenset[str]:
    """The steps of the chain's first run; a run that continued it, by itself or not, knows only some of them."""
    snapshot = root.execution_plan_snapshot_id
    keys = instance.get_execution_plan_snapshot(snapshot).step_keys_to_execute if snapshot else ()
    return frozenset(keys)


def steps_left(row: ChainRow) -> list[str]:
    """Steps that did not come through, everything after them, and the checks of all: a process may have been killed
    between an asset and its checks, and then no check has passed yet.
    """
    records = row.state.steps
    open_assets = {name for name in DAILY_FULL if name not in records or records[name].status != "completed"}
    left = [name for name in DAILY_FULL if name in open_assets or ancestors((name,)) & open_assets]
    covered = [name for name in COVERED_BY_CHAIN if ancestors((name,)) & open_assets]
    return left + covered + [name + CHECKS_SUFFIX for name in DAILY_FULL] + [CHAIN_IS_WHOLE]


EXIT_CODES = {"completed": 0, "failed": 1, "partial": 3}


@dataclass(frozen=True)
class RunOptions:
    """What the person asked for. `here`: in this process, though a daemon might run it.

    `push_partner`: the row id of the one partner to send again.
    """

    job: str
    partition: str | None = None
    last_days: int | None = None
    allow: Sequence[str] = ()
    resume: bool = False
    plan: int | None = None
    by: str = "unknown"
    no_wait: bool = False
    here: bool = False
    push_partner: int | None = None


def run_command(options: RunOptions, console: Console) -> int:
    """Run the job to its end; returns 0 completed, 1 failed, 3 partial.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it; its summary is printed.
        ConfigurationError, WarehouseError: nothing was run.
    """
    settings = settings_from_environment()
    _check_options(options)
    usable_home()
    try:
        with Warehouse.opened(settings.warehouse_url) as warehouse:
            warehouse.check_writable()
            with dagster_instance() as instance:
                reconcile_chains(instance, warehouse)
                code = _run(options, instance, warehouse, console)
                look_after_quietly(instance, warehouse, settings, datetime.now(UTC))
                return code
    except (CannotRun, DagsterStateLost) as problem:
        console.print(f"[red]✗[/] {quoted(problem)}", highlight=False, soft_wrap=True)
        return EXIT_CODES["failed"]


def _check_options(options: RunOptions) -> None:
    problems = []
    if options.job not in job_names():
        problems.append(f"there is no job {options.job}; there are: {', '.join(job_names())}")
    asked = [options.partition is not None, options.last_days is not None]
    if any(asked) and options.job not in PARTITIONED_JOBS:
        problems.append(f"{options.job} has no partitions; --partition and --last-days do not apply")
    if all(asked):
        problems.append("--partition and --last-days exclude each other")
    if any(asked) and options.resume:
        problems.append("--resume keeps the weeks of the failed chain; --partition and --last-days do not apply")
    if options.plan is not None and options.job != APPLY_JOB:
        problems.append(f"--plan applies to {APPLY_JOB} only")
    if options.plan is None and options.job == APPLY_JOB:
        problems.append(f"{APPLY_JOB} needs --plan ID, of a reviewed plan; lms-assets offboarding show lists them")
    try:
        parse_overrides(options.allow)
    except ValueError as error:
        problems.append(str(error))
    if options.resume and options.job != CHAIN:
        problems.append(f"only {CHAIN} can be resumed")
    if problems:
        raise ConfigurationError(problems)
    _weeks_asked_for(options, datetime.now(UTC))


def _run(options: RunOptions, instance: dg.DagsterInstance, warehouse: Warehouse, console: Console) -> int:
    result, shown = _worked_off(options, instance, warehouse, console)
    reconcile_chains(instance, warehouse)
    state = close(result.state, shown, DEGRADING, None if result.success else "the run ended")
    status = final_status(state, NOT_REQUIRED)
    print_summary(console, instance, result, job=options.job, state=state, status=status)
    if options.plan is not None:
        print_outcome(console, warehouse, options.plan)
    if result.interrupted:
        raise KeyboardInterrupt
    return EXIT_CODES[status]


def _worked_off(
    options: RunOptions, instance: dg.DagsterInstance, warehouse: Warehouse, console: Console
) -> tuple[RunResult, list[str]]:
    """The run's result and the assets it is about: by the daemon that serves this code location, else here."""

    def say(text: str) -> None:
        console.print(quoted(text), highlight=False, soft_wrap=True)

    served = None if options.here else _daemon(instance, say)
    while True:
        run_id = new_run_id()
        with our_turn(instance, warehouse, options.job, run_id, say=None if options.no_wait else say):
            order = resumed_order(instance, warehouse) if options.resume else _new_order(options, datetime.now(UTC))
            allowed = allowing_tags(warehouse, options.allow, by=options.by, run_id=run_id)
            order = replace(order, tags={**order.tags, **allowed})
            shown = [step for step in steps_of(options.job) if not order.steps or step in order.steps]
            if served is None:
                with _steps_view(console, shown) as view:
                    return execute(instance, order, view.feed, run_id=run_id), shown
        with _steps_view(console, shown) as view:
            result = hand_over(instance, order, view.feed, served, run_id=run_id)
        if result is not None:
            return result, shown
        say("No daemon took the run: this terminal runs it.")
        served = None


@contextmanager
def _steps_view(console: Console, shown: list[str]) -> Iterator[StepsView]:
    with terminal_of_our_own(console, run_log()) as own, StepsView(shown, own) as view:
        yield view


def _daemon(instance: dg.DagsterInstance, say: Callable[[str], None]) -> Served | None:
    """The daemon that would do the same as this process, if one lives."""
    served = served_location(instance)
    if served is None or not served.lives(datetime.now(UTC)) or not takes_submissions(instance):
        return None
    if served.settings != fingerprint(settings_from_environment()):
        say("Dagster's daemon has other settings than this terminal: this terminal runs it.")
        return None
    say("Dagster's daemon runs it; this terminal watches.")
    return served


def _new_order(options: RunOptions, now: datetime) -> RunOrder:
    tags = {AS_OF_TAG: now.isoformat()}
    if options.plan is not None:
        tags[OFFBOARDING_PLAN_TAG] = str(options.plan)
    if options.push_partner is not None:
        tags[PUSH_PARTNER_TAG] = str(options.push_partner)
    return RunOrder(options.job, tags | _weeks_asked_for(options, now))


def _weeks_asked_for(options: RunOptions, now: datetime) -> dict[str, str]:
    try:
        if options.partition is not None:
            return partition_tags(options.partition, now)
        if options.last_days is not None:
            # Today alone, 0, is for runs that a webhook starts.
            return trailing_days_tags(now, options.last_days or -1)
    except ValueError as error:
        option = "--partition" if options.last_days is None else "--last-days"
        raise ConfigurationError([f"{option}: {error}"]) from error
    if options.job == CHAIN:
        return full_range_tags(now)
    return trailing_days_tags(now, TRAILING_DAYS) if options.job in PARTITIONED_JOBS else {}
