"""Transcripts read beside the chain's earlier steps, so that no second passes in which the LMS is asked for nothing.

Whoever counts for a partner when the chain begins has to be read by it in any case, and whoever came to one when it
has written people or members. What is read here is staged as the step `enrollments` itself does it; that step reads the
rest, and again who came to a partner after being read (`came_since`) and, when there are new courses, whose transcript
names a course that was in no list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

import dagster as dg

from lms_assets.assets.run_order import chain_start_of
from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users, people_whose_turn_it_is
from lms_assets.assets.tier_3_enrollments.transcripts import (
    KEPT_AT_ONCE,
    READ_AHEAD,
    known_enrollments,
    stage,
    transcript_reader,
)
from lms_assets.domain.records.transcripts import TranscriptRead
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import ancestors
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.runs.execution import Notice
from lms_assets.step_server import forks_steps
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.transcripts import staged_ids
from lms_assets.warehouse.sync_state import put_state

STEP = "enrollments"
NEW_PEOPLE = ("users", "memberships")
"""Steps after which people may count for a partner who did not before: on a first load, everybody."""
END_SECONDS = 30.0


_begun: dict[str, _Reader] = {}
"""What was begun here and no run has taken over yet, by its chain."""


def begin(run: dg.DagsterRun, instance: dg.DagsterInstance, steps: Collection[str]) -> None:
    """Begin for a run that is yet to be made, which takes seconds; `read_ahead` takes it over.

    Only where the run's process starts the steps itself: else the step could begin before this has ended.
    """
    if forks_steps() and run.job_name == CHAIN and STEP in steps and ancestors((STEP,)) & set(steps):
        news_from = set(NEW_PEOPLE) & set(steps)
        reader = _begun[_chain_of(run)] = _Reader(_chain_of(run), partial(chain_start_of, run, instance), news_from)
        reader.start()


@contextmanager
def read_ahead(context: Any, steps: Collection[str]) -> Iterator[Notice]:
    """Read from now until the step `enrollments` begins; see `runs.execution.Beside`."""
    run: dg.DagsterRun = context.dagster_run
    if _chain_of(run) not in _begun:
        begin(run, context.instance, steps)
    reader = _begun.pop(_chain_of(run), None)

    def notice(event: dg.DagsterEvent) -> None:
        if reader and event.step_key in NEW_PEOPLE and event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            reader.look_again(after=event.step_key)
        if reader and event.step_key == STEP and event.event_type == dg.DagsterEventType.STEP_WORKER_STARTING:
            context.log.info(reader.end())

    try:
        yield notice
    finally:
        if reader:
            reader.end()


def _chain_of(run: dg.DagsterRun) -> str:
    return run.root_run_id or run.run_id


class _Reader(threading.Thread):
    """Reads until `end`, or everybody. Whatever goes wrong ends it: the step meets the same, and says so.

    `news_from`: the steps after which there may be more people; with the last of them read, it ends by itself.
    """

    def __init__(self, chain_key: str, chain_began: Callable[[], datetime], news_from: set[str]) -> None:
        super().__init__(daemon=True)
        self._news_from = news_from
        self._chain_key = chain_key
        self._chain_began = chain_began
        self._now = WarehouseResource().now
        self._ended = threading.Event()
        self._news = threading.Event()
        self._asked: set[str] = set()
        self._courses: int | None = None
        self._read = 0
        self._problem = ""

    def end(self) -> str:
        """Stop, with what was read in the staging table; says how far it came."""
        self._ended.set()
        self._news.set()
        self.join(END_SECONDS)
        return f"Transcripts read ahead: {self._read:,}{self._problem}"

    def look_again(self, *, after: str) -> None:
        """There may be more people to read, since this step has written them."""
        self._news_from.discard(after)
        self._news.set()

    def run(self) -> None:
        """Read, and keep what was read."""
        try:
            with WarehouseResource().open() as warehouse, NorthpassResource().client() as client:
                nights = WarehouseResource().rules().full_read_nights
                while True:
                    self._news.clear()
                    last = not self._news_from
                    if self._ended.is_set():
                        return
                    with warehouse.read() as connection:
                        turn = people_whose_turn_it_is(current_partner_users(connection), self._chain_began(), nights)
                        people = turn - self._asked - staged_ids(connection, self._chain_key)
                    self._asked |= people
                    if people:
                        self._read_all(warehouse, client, sorted(people))
                    if last:
                        return
                    self._news.wait()
        except Exception as error:  # noqa: BLE001  the step reads the same, and is the one to fail
            self._problem = f"; then {type(error).__name__}"

    def _read_all(self, warehouse: Warehouse, client: NorthpassClient, people: list[str]) -> None:
        with warehouse.read() as connection:
            known = known_enrollments(connection, people)
        if self._courses is None:
            self._courses = len(known.course_ids)
        read = transcript_reader(client, known)

        def read_at(person_id: str) -> tuple[datetime, TranscriptRead]:
            # Before the call: what changes while it is under way comes after the reading.
            return self._now(), read(person_id)

        kept: list[tuple[datetime, TranscriptRead]] = []
        try:
            # What is under way at the end is still taken: those calls have been made.
            until_ended = takewhile(lambda _: not self._ended.is_set(), people)
            for _, result in client.for_each(until_ended, read_at):
                # Who is gone or was not read for certain, the step reads again.
                if not isinstance(result, VendorError) and result[1].outcome == "complete":
                    kept.append(result)
                if len(kept) >= KEPT_AT_ONCE:
                    self._keep(warehouse, kept)
        finally:
            self._keep(warehouse, kept)
            note = {"chain": self._chain_key, "calls": client.http.calls, "courses": self._courses}
            warehouse.in_transaction(lambda connection: put_state(connection, READ_AHEAD, note, now=self._now()))

    def _keep(self, warehouse: Warehouse, kept: list[tuple[datetime, TranscriptRead]]) -> None:
        if kept:
            stage(warehouse, self._chain_key, [each for _, each in kept], now=min(at for at, _ in kept))
            self._read += len(kept)
            kept.clear()
