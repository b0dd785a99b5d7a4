"""Fresh within minutes, through a real daemon: from a message in the LMS's log to the counts and to the CRM.

    python -m benchmarks.freshness                      about fourteen minutes: two messages, a push every 5 minutes
    python -m benchmarks.freshness --scale 1

The second message is sent as a push begins, so that its counts wait as long as they may. Prints what each part took
and the calls, writes bench/freshness.json. Ends with 1 when the counts took longer than 3 minutes or the CRM 6.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from sqlalchemy import select

from lms_assets.domain.schedule import ENROLLMENTS_JOB, PUSH_JOB
from lms_assets.lineage import SYNC_TYPES
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import lms_courses, lms_enrollments, sync_logs
from lms_assets_tests.harness.commands import Commands, wait_until

DAGSTER = str(Path(sys.executable).with_name("dagster"))
SENSORS = ("completed_courses_sensor", "push_after_enrollments_sensor")
COUNTS, CRM = timedelta(minutes=3), timedelta(minutes=6)
NOTHING_TO_DO = 120


class Place:
    """A warehouse, a home with two sensors switched on, and the daemon that serves them."""

    def __init__(self, commands: Commands, sandbox: SandboxHandle, daemon: subprocess.Popen[bytes]) -> None:
        self._sandbox = sandbox
        self._daemon = daemon
        self._warehouse = Warehouse(commands.url)
        os.environ["DAGSTER_HOME"] = str(commands.home)
        self._instance = dg.DagsterInstance.get()

    def began(self, asset: str, since: datetime) -> datetime | None:
        """When the asset's first sync since then began."""
        return self._synced(asset, since, "started_at")

    def done(self, asset: str, since: datetime) -> datetime | None:
        """When the first sync of the asset that began since then was completed."""
        return self._synced(asset, since, "completed_at")

    def _synced(self, asset: str, since: datetime, column: str) -> datetime | None:
        c = sync_logs.c
        query = select(c[column]).where(c.sync_type == SYNC_TYPES[asset], c.started_at >= since).order_by(c.id).limit(1)
        with self._warehouse.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found

    def wait_for(self, found: object) -> None:
        """Wait until a function gives something."""
        assert callable(found)
        assert wait_until(lambda: bool(found()), self._daemon), "the daemon ended"

    def complete_a_course(self, nth: int) -> datetime:
        """Somebody takes a certification once more; gives when."""
        e, c = lms_enrollments.c, lms_courses.c
        with self._warehouse.read() as connection:
            people = select(e.user_id).where(e.status == "completed").distinct().order_by(e.user_id)
            person = list(connection.execute(people).scalars())[nth]
            held = select(e.course_id).where(e.user_id == person)
            new = select(c.id).where(c.npcu_value > 0, c.status == "live", c.id.not_in(held)).order_by(c.id)
            course = connection.execute(new).scalars().first()
        at = datetime.now(UTC)
        self._sandbox.mutate("complete_course", person=person, course=course)
        return at

    def follow(self, at: datetime) -> dict[str, float]:
        """Wait until the CRM has confirmed what a message changed; seconds since it, by part, in the order of time."""
        counts = "partner_cert_counts"
        # A push that was under way counts by itself; the message's own counting follows its reading.
        self.wait_for(lambda: self.done("enrollments", at))
        read = self.done("enrollments", at)
        assert read is not None
        self.wait_for(lambda: self.done(counts, read))
        counted = self.done(counts, read)
        assert counted is not None
        self.wait_for(lambda: self.done("pushed_partner_cert_counts", counted))
        parts: dict[str, datetime | None] = {}
        for job, asset, name in (
            (ENROLLMENTS_JOB, "enrollments", "reading"),
            (PUSH_JOB, "partner_certifications", "push"),
        ):
            since = at if job == ENROLLMENTS_JOB else counted
            run = min(
                (each for each in self._instance.get_run_records(dg.RunsFilter(job_name=job, created_after=since))),
                key=lambda each: each.create_timestamp,
            )
            parts[f"sensor asked for the {name} run"] = run.create_timestamp
            parts[f"the {name} run began"] = datetime.fromtimestamp(run.start_time or 0, UTC)
            parts[f"the {name} run's first step began"] = self.began(asset, since)
            if job == ENROLLMENTS_JOB:
                parts["counts were written"] = counted
        parts["the CRM confirmed"] = self.done("pushed_partner_cert_counts", counted)
        return {name: round((when - at).total_seconds(), 1) for name, when in parts.items() if when is not None}

    def take_calls(self) -> dict[str, int]:
        """The calls since the last time, by endpoint."""
        stats = self._sandbox.stats()
        self._sandbox.reset_stats()
        found: Counter[str] = Counter()
        for vendor in ("northpass", "impartner"):
            found.update(stats[vendor]["by_endpoint"])
        return dict(found)


@contextmanager
def serving(folder: Path, scale: float, minutes: int) -> Iterator[Place]:
    """A first chain, the sensors switched on, and a daemon."""
    config = SandboxConfig(scale=scale, latency_ms=120)
    with running_sandbox(config) as sandbox:
        commands = Commands(folder, sandbox)
        limits = {f"{vendor}_REQUESTS_PER_SECOND": "10" for vendor in ("NORTHPASS", "IMPARTNER")}
        commands.environment |= limits | {"LMS_PUSH_EVERY_MINUTES": str(minutes)}
        module = ["-m", "lms_assets.definitions"]
        for words in (["db", "upgrade"], ["run", "daily_full"]):
            subprocess.run([commands.command, *words], env=commands.environment, cwd=folder, check=True)
        for sensor in SENSORS:
            subprocess.run(
                [DAGSTER, "sensor", "start", sensor, *module], env=commands.environment, cwd=folder, check=True
            )
        sandbox.reset_stats()
        daemon = commands.start("run", *module, program=f"{DAGSTER}-daemon")
        try:
            yield Place(commands, sandbox, daemon)
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)
            daemon.wait()


def main() -> int:
    """Measure, print, write; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--minutes", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serving(Path(name), options.scale, options.minutes) as place:
        first = place.complete_a_course(0)
        place.wait_for(lambda: place.began("pushed_partner_cert_counts", first))
        # As a push begins, which does not know of it.
        second = place.complete_a_course(1)
        seconds = {"a message": place.follow(first)}
        calls = {"one message, through counts and push": place.take_calls()}
        seconds["a message as a push begins"] = place.follow(second)
        calls["another"] = place.take_calls()
        begin = datetime.now(UTC)
        place.wait_for(lambda: datetime.now(UTC) - begin > timedelta(seconds=NOTHING_TO_DO))
        calls[f"{NOTHING_TO_DO} seconds with nothing to do"] = place.take_calls()
    for title, parts in seconds.items():
        print(f"\n{title}: seconds after it")
        for part, after in parts.items():
            print(f"  {after:7.1f}  {part}")
    print("\ncalls")
    for title, made in calls.items():
        print(f"  {title}: {made}")
    folder = Path("bench")
    folder.mkdir(exist_ok=True)
    found = {"scale": options.scale, "minutes": options.minutes, "seconds": seconds, "calls": calls}
    (folder / "freshness.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    limits = {"counts were written": COUNTS, "the CRM confirmed": CRM}
    late = [
        f"{title}: {part}"
        for title, parts in seconds.items()
        for part, limit in limits.items()
        if parts[part] > limit.total_seconds()
    ]
    print(f"late: {', '.join(late)}" if late else "in time")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
