"""A week of production in half an hour: real webserver, daemon and code server on a real MariaDB, by a faster clock.

    python -m benchmarks.week                  a week, 300 times as fast; needs a C compiler and MariaDB
    python -m benchmarks.week --days 1

All schedules and sensors are on, courses are completed every few hours, one week is read again by a backfill, and the
database is away for a while on the second evening. Prints what ran, what was told, and every line of the logs that
nobody explains; writes bench/week.json and bench/week.log. Ends with 1 when there is such a line, a run that failed
without the outage, or a count that is not the oracle's.

What is real in it: the time limits of calls and of the database, since only the date runs faster (`fast_clock.c`). The
time limits that Dagster takes from the date are given in the clock's seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from lms_assets.automation.jobs import SCHEDULES
from lms_assets.definitions import defs
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.schema.tables import executive_report_recipients
from lms_assets_tests.automation.production import PROGRAMS, Production, errors_in, graphql, shown_runs
from lms_assets_tests.automation.receiver import Receiver, receiving
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness
from lms_assets_tests.harness.commands import kill_all
from lms_assets_tests.harness.mariadb import MariaDbServer, free_port
from lms_assets_tests.harness.waits import comes_about

BEGIN = datetime(2026, 12, 5, 20, 0, tzinfo=UTC)
"""A Saturday evening ahead of us: a program that waits for a date that is over does not wait."""
BACKFILL, OUTAGE = timedelta(hours=16), timedelta(hours=23)
AWAY_SECONDS = 20
A_COURSE_EVERY = timedelta(hours=5)
OF_THE_DATE = (
    "start_timeout_seconds",
    "cancel_timeout_seconds",
    "max_runtime_seconds",
    "free_slots_after_run_end_seconds",
)
FOLDER = Path("bench")
LOCATION = 'repositoryName: "__repository__" repositoryLocationName: "lms_assets"'


def with_a_fast_clock(rate: int) -> int:
    """This program again, by a clock that begins at BEGIN; does not return."""
    FOLDER.mkdir(exist_ok=True)
    library = (FOLDER / "fast_clock.so").absolute()
    source = Path(__file__).with_name("fast_clock.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    clock = f"{time.time_ns()} {int(BEGIN.timestamp()) * 10**9} {rate}"
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAST_CLOCK": clock}
    os.execve(sys.executable, [sys.executable, "-m", "benchmarks.week", *sys.argv[1:]], environment)


class Week:
    """Production by the fast clock, and what happened in it."""

    def __init__(
        self, production: Production, sandbox: SandboxHandle, server: MariaDbServer, receiver: Receiver
    ) -> None:
        self.production, self.sandbox, self.server, self.receiver = production, sandbox, server, receiver
        self.port, self.code_port = free_port(), free_port()
        self.courses = 0
        self.away: list[datetime] = []
        self.unanswered: list[str] = []
        self.log_before = self.log_after = 0

    def begin(self, rate: int) -> None:
        """Start everything, and switch everything on as the UI does."""
        commands, home = self.production.commands, self.production.commands.home
        text = (home / "dagster.yaml").read_text(encoding="utf-8")
        for name in OF_THE_DATE:
            text = re.sub(rf"({name}: )(\d+)", lambda found: f"{found[1]}{int(found[2]) * rate}", text)
        (home / "dagster.yaml").write_text(text, encoding="utf-8")
        # A code server of its own: one that belongs to the daemon ends when twenty seconds of the date brought no word.
        place = f"{{host: 127.0.0.1, port: {self.code_port}, location_name: lms_assets}}"
        workspace = commands.folder / "workspace.yaml"
        workspace.write_text(f"load_from: [{{grpc_server: {place}}}]\n", encoding="utf-8")
        self.production.workspace = workspace
        commands.environment |= {
            "LD_PRELOAD": os.environ["LD_PRELOAD"],
            "FAST_CLOCK": os.environ["FAST_CLOCK"],
            "DAGSTER_DAEMON_HEARTBEAT_TOLERANCE": str(1800 * rate),
            "LMS_ALERT_URLS": self.receiver.alert_url,
            "LMS_HEARTBEAT_URL": self.receiver.heartbeat_url,
        }
        words = ("api", "grpc", "-m", "lms_assets.definitions", "-h", "127.0.0.1", "-p", str(self.code_port))
        self.code = commands.start(*words, program=str(PROGRAMS / "dagster"))
        assert comes_about(lambda: "Started Dagster code server" in self.production.log.read_text())
        self.production.serve(self.port)
        assert comes_about(lambda: shown_runs(self.port) is not None)
        first = self.chain_by_hand()
        assert first.returncode == 0, first.stdout + first.stderr
        self.production.start()
        on = [f'startSchedule(scheduleSelector: {{{LOCATION} scheduleName: "{each.name}"}})' for each in SCHEDULES]
        on += [f'startSensor(sensorSelector: {{{LOCATION} sensorName: "{each.name}"}})' for each in defs.sensors or ()]
        calls = " ".join(f"call_{number}: {call} {{__typename}}" for number, call in enumerate(on))
        kinds = Counter(each["__typename"] for each in self.asked(f"mutation {{{calls}}}").values())
        print("switched on:", dict(kinds), flush=True)

    def chain_by_hand(self) -> subprocess.CompletedProcess[str]:
        """The command, as a program of its own: one that is kept warm has the real date."""
        commands = self.production.commands
        words = [commands.command, "run", "daily_full"]
        return subprocess.run(
            words, env=commands.environment, cwd=commands.folder, capture_output=True, text=True, check=False
        )

    def asked(self, query: str) -> dict[str, Any]:
        """What the webserver answers; it has to."""
        found = graphql(self.port, query)
        assert found is not None, query
        return found

    def live(self, instance: dg.DagsterInstance, days: float) -> None:
        """What people and the vendors do meanwhile, until the end."""
        next_course, backfill, outage = BEGIN + timedelta(hours=10), BEGIN + BACKFILL, BEGIN + OUTAGE
        while (now := datetime.now(UTC)) < BEGIN + timedelta(days=days):
            assert self.production.daemon is not None
            assert self.production.daemon.poll() is None, "the daemon ended"
            if now >= next_course:
                next_course += A_COURSE_EVERY
                self.complete_a_course()
            if now >= backfill:
                backfill = datetime.max.replace(tzinfo=UTC)
                week = 'assetSelection: [{path: ["enrollments"]}], partitionNames: ["2026-11-23"]'
                answer = self.asked(f"mutation {{launchPartitionBackfill(backfillParams: {{{week}}}) {{__typename}}}}")
                print(f"{now:%a %H:%M} backfill of a week: {answer}", flush=True)
            if now >= outage and instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
                outage = datetime.max.replace(tzinfo=UTC)
                self.be_without_a_database()
            if shown_runs(self.port) is None:
                self.unanswered.append(f"{now:%a %H:%M}")
            time.sleep(2)

    def complete_a_course(self) -> None:
        """The next person completes the next course."""
        state = self.sandbox.sandbox.vendor_state
        people, courses = (
            sorted(state.people),
            sorted(key for key, each in state.courses.items() if each.status == "live"),
        )
        person, course = people[self.courses * 7 % len(people)], courses[self.courses % len(courses)]
        self.courses += 1
        self.sandbox.mutate("complete_course", person=person, course=course)

    def be_without_a_database(self) -> None:
        """Stop the server for a while."""
        self.away.append(datetime.now(UTC))
        self.log_before = self.production.log.stat().st_size
        self.server.stop()
        time.sleep(AWAY_SECONDS)
        self.server.start()
        self.away.append(datetime.now(UTC))
        assert comes_about(lambda: shown_runs(self.port) is not None)
        # What was under way ends with the loss.
        time.sleep(60)
        self.log_after = self.production.log.stat().st_size
        print(f"without the database from {self.away[0]:%a %H:%M} to {self.away[1]:%a %H:%M}", flush=True)

    def in_the_outage(self, begin: datetime, end: datetime) -> bool:
        """Whether something that lasted from `begin` to `end` met it."""
        margin = timedelta(hours=2)
        return bool(self.away) and begin <= self.away[1] + margin and end >= self.away[0] - margin

    def found(self, instance: dg.DagsterInstance) -> dict[str, Any]:
        """What is to be told, and under `unexplained` what must not be."""
        log = self.production.log.read_bytes()
        outage = log[self.log_before : self.log_after].decode()
        calm = (log[: self.log_before] + log[self.log_after :] if self.away else log).decode()
        ran: Counter[str] = Counter()
        failed = []
        for record in instance.get_run_records():
            run, begin = record.dagster_run, record.create_timestamp
            ran[f"{run.job_name} {run.status.value}"] += 1
            end = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else datetime.now(UTC)
            if run.status == dg.DagsterRunStatus.FAILURE and not self.in_the_outage(begin, end):
                failed.append(f"{run.job_name} {begin:%a %H:%M} {run.run_id}")
        ticks: Counter[str] = Counter()
        bad = []
        for state in instance.all_instigator_state():
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id):
                ticks[f"{state.instigator_name} {tick.status.value}"] += 1
                at = datetime.fromtimestamp(tick.timestamp, UTC)
                if tick.error and not self.in_the_outage(at, at):
                    bad.append(f"{state.instigator_name} {at:%a %H:%M}: {tick.error.message[:200]}")
        return {
            "runs": dict(sorted(ran.items())),
            "ticks": dict(sorted(ticks.items())),
            "courses completed": self.courses,
            "good nights told": len(self.receiver.gets),
            "alerts": [post["title"] for post in self.receiver.posts],
            "the outage": [f"{at:%a %H:%M}" for at in self.away],
            "lines in the outage": dict(Counter(line[:120] for line in errors_in(outage))),
            "unexplained": {
                "failed runs": failed,
                "failed ticks": bad,
                "lines": errors_in(calm),
                "questions without an answer": self.unanswered,
            },
        }


def live_a_week(folder: Path, days: float, rate: int) -> dict[str, Any]:
    """Start all, live, end all; gives what happened."""
    with ExitStack() as stack:
        server = MariaDbServer()
        stack.callback(server.remove)
        server.create()
        urls = [stack.enter_context(server.fresh_database(name)) for name in ("week_dagster", "week_portal")]
        sandbox = stack.enter_context(
            running_sandbox(SandboxConfig(scale=0.005, northpass_rps=0, impartner_rps=0, latency_ms=10))
        )
        receiver = stack.enter_context(receiving())
        production = Production(folder, sandbox, *urls, executor="multiprocess")
        stack.callback(production.close)
        with production.warehouse.transaction() as connection:
            connection.execute(executive_report_recipients.insert().values(email="board@example.com", name="The board"))
        week = Week(production, sandbox, server, receiver)
        week.begin(rate)
        stack.callback(kill_all, week.code)
        os.environ.update({name: value for name, value in production.commands.environment.items() if "DAGSTER" in name})
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(production.commands.home)))
        try:
            week.live(instance, days)
            found = week.found(instance)
            done = week.chain_by_hand()
            found["unexplained"]["the last chain"] = [] if done.returncode == 0 else [done.stdout[-800:] + done.stderr]
            if (chain := production.chain) is not None:
                harness = ChainHarness(folder, sandbox, urls[1])
                found["unexplained"]["counts"] = differences(harness, at=chain.as_of)
                harness.close()
        finally:
            (FOLDER / "week.log").write_bytes(production.log.read_bytes())
        return found


def main() -> int:
    """Live it, print, write; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--rate", type=int, default=300, help="how many times as fast")
    options = parser.parse_args()
    if "FAST_CLOCK" not in os.environ:
        return with_a_fast_clock(options.rate)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended early"))
    with tempfile.TemporaryDirectory() as name:
        found = live_a_week(Path(name), options.days, options.rate)
    print(json.dumps(found, indent=1))
    (FOLDER / "week.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if any(found["unexplained"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
