"""How a run's steps are started: once the run holds the locks of what they write, and quickly.

Those of long jobs are forked from a server that has everything imported: 0.1 seconds a step instead of 4 to 6.

Dagster's events in SQLite cost a third of what they would: a full range of weeks makes 300 of them. Dagster's storage
makes an engine for every single question and every event, and a new engine compiles the same statements again. After
each event it waits for the disk.
"""

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from importlib import import_module
from typing import Any, cast

import dagster as dg

from lms_assets import step_server
from lms_assets.lineage import IMPARTNER_POOL, NORTHPASS_POOL
from lms_assets.resources import WarehouseResource
from lms_assets.runs import dagster_internals
from lms_assets.runs.dagster_internals import SQLITE_EVENTS
from lms_assets.runs.progress import report_waiting
from lms_assets.runs.write_locks import groups_of, owner_of, writing
from lms_assets.settings import EXECUTORS, ConfigurationError

MOST = 16
"""Engines kept: a daemon sees the file of every run. None of them holds a connection."""


def keep_engines() -> None:
    """From here on, in this process; twice is the same as once."""
    module: Any = import_module(SQLITE_EVENTS)
    create = module.create_engine
    if isinstance(getattr(create, "__self__", None), _Kept):
        return
    module.create_engine = _Kept(create).engine


class _Connection(sqlite3.Connection):
    """Waits for the disk when SQLite moves its write-ahead log into the file, no longer after every event.

    A crash of a process loses nothing by it. A power cut can lose the last events of a run that it ends anyway; what
    the steps wrote stands in the warehouse, and a resumed chain finds it there.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA synchronous = NORMAL")


class _Kept:
    def __init__(self, create: Any) -> None:
        self._create = create
        self._engines: OrderedDict[str, Any] = OrderedDict()

    def engine(self, url: str, **options: Any) -> Any:
        """As SQLAlchemy's `create_engine`; the storage gives the same options for every file."""
        found = self._engines.pop(url, None)
        if found is None:
            options["connect_args"] = {**options.get("connect_args", {}), "factory": _Connection}
            found = self._create(url, **options)
        self._engines[url] = found
        while len(self._engines) > MOST:
            self._engines.popitem(last=False)
        return found


Notice = Callable[[dg.DagsterEvent], None]
Beside = Callable[[Any, Collection[str]], AbstractContextManager[Notice]]
"""What goes on in a run's own process beside its steps: given the run's context and its steps. It is handed each event
before the next step begins, and ends with the run."""

_beside: Beside = lambda _context, _steps: nullcontext(lambda _event: None)  # noqa: E731


def run_beside(work: Beside) -> None:
    """Have this go on beside the steps of every run, from now on: what does it is a room above this one."""
    global _beside
    _beside = work


# What a step would import by itself, each time: the command that a run from a terminal begins with, and Dagster's
# storages, which it finds by name. One that is not there is passed over.
PRELOADED = [
    dagster_internals.STEP_EXECUTOR,
    "lms_assets.cli",
    "lms_assets.console.running.runner",
    *dagster_internals.PRELOADED,
    "dagster_mysql",
    "upath.core",
    "rapidfuzz.process",
    "dotenv",
    "lms_assets.warehouse.migrations.current",
]


class OneWriter(dg.Executor):
    """Works off a run's steps as another executor does, while the run holds the locks of the rows they write.

    Every run passes here in its own process, however it was started, before any of its steps asks for a slot of a pool.
    """

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> Any:
        """As the other one's."""
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        """As the other one's."""
        return self._inner.step_dependency_config

    def __getattr__(self, name: str) -> Any:
        """What its own code asks of a run's executor besides."""
        return getattr(self._inner, name)

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Wait for the locks, saying in the run's log for whom; then the other executor's work."""
        groups = groups_of(execution_plan.step_keys_to_execute)
        owner = owner_of(plan_context.run_id, plan_context.job_name)
        with (
            WarehouseResource().open() as warehouse,
            writing(warehouse, groups, owner, on_wait=_waiting(plan_context.log, plan_context.job_name)),
            events_kept_open(plan_context.instance, plan_context.run_id),
            _beside(plan_context, execution_plan.step_keys_to_execute) as notice,
        ):
            for event in self._inner.execute(plan_context, execution_plan):
                notice(event)
                yield event


def _waiting(log: dg.DagsterLogManager, job: str) -> Callable[[str], None]:
    said = ""

    def wait(text: str) -> None:
        nonlocal said
        # A run that is cancelled while it waits ends at once.
        if dagster_internals.check_captured_interrupt():
            raise KeyboardInterrupt
        if text != said:
            report_waiting(log, job, text)
        said = text

    return wait


def _one_writer(inner: dg.ExecutorDefinition, create: Callable[[Any], dg.Executor]) -> dg.ExecutorDefinition:
    return dg.ExecutorDefinition(
        name=inner.name,
        config_schema=cast("Any", inner.config_schema),
        requirements=inner.get_requirements,
        executor_creation_fn=lambda context: OneWriter(create(context)),
    )


def _created(inner: dg.ExecutorDefinition, context: Any, **config: Any) -> dg.Executor:
    assert inner.executor_creation_fn is not None
    retried: dict[str, Any] = {"retries": {"enabled": {}}}
    return inner.executor_creation_fn(context._replace(executor_config={**retried, **config}) if config else context)


def _chosen(context: Any) -> dg.Executor:
    """LMS_EXECUTOR's executor; asked when a run begins, since loading the graph reads no setting.

    Raises:
        ConfigurationError: there is none of that name, or its extra is not installed.
    """
    name = os.environ.get("LMS_EXECUTOR", "").strip() or "multiprocess"
    try:
        if name == "celery":
            from lms_assets.runs.celery_engine import executor

            return executor(context)
        if name == "k8s":
            from dagster_k8s import k8s_job_executor

            return _created(k8s_job_executor, context, max_concurrent=AT_ONCE)
    except ImportError as error:
        raise ConfigurationError(
            [f"LMS_EXECUTOR is {name}, but {error.name} is not installed: pip install 'lms-assets[{name}]'"]
        ) from None
    if name == "in_process":
        return _created(dg.in_process_executor, context, marker_to_close=None)
    if name != "multiprocess":
        raise ConfigurationError([f"LMS_EXECUTOR must be one of {', '.join(EXECUTORS)}"])
    return _created(dg.multiprocess_executor, context)


AT_ONCE = 4

EXECUTOR = _one_writer(dg.multiprocess_executor, _chosen).configured(
    {"max_concurrent": AT_ONCE, "start_method": {"forkserver": {"preload_modules": step_server.PRELOADED}}}
)

IN_PROCESS = _one_writer(dg.in_process_executor, lambda context: _created(dg.in_process_executor, context))
"""For jobs of few and short steps: each in the run's own process, one after the other. A step in a process of its own
costs 0.3 to 0.8 processor seconds, and the server that forks them 2."""

POOL_LIMITS = {NORTHPASS_POOL: 2, IMPARTNER_POOL: 1}
"""Steps at once. Two for Northpass: one reads while another writes. They share the rate limit."""


@contextmanager
def events_kept_open(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold Dagster's event files open where they are SQLite's; elsewhere nothing.

    Dagster opens and closes them for each event, and at the last close of a file SQLite writes its log back and removes
    it: half of an event's time, and a full range of weeks makes 400 of them.
    """
    storage: Any = instance.event_log_storage
    with ExitStack() as stack:
        if hasattr(storage, "path_for_shard"):
            keep_engines()
            for opened, shard in ((storage.index_connection(), "index"), (storage.run_connection(run_id), run_id)):
                with opened:
                    pass
                held = stack.enter_context(closing(sqlite3.connect(storage.path_for_shard(shard))))
                held.execute("SELECT id FROM event_logs LIMIT 1").fetchall()
        yield


def ensure_pool_limits(instance: dg.DagsterInstance) -> None:
    """Set the limit of each pool that has none of its own yet; one that a person set stays."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    known = {each.name for each in storage.get_pool_limits() if not each.from_default}
    for pool, limit in POOL_LIMITS.items():
        if pool not in known:
            storage.set_concurrency_slots(pool, limit)
