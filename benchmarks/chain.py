"""The chain against what the vendors' limits allow: seconds, calls, refusals, memory; every check switched on.

    make bench                                   about three minutes: a tenth of the data, 10 calls a second, 120 ms
    make bench BENCH="--scale 1 --kind first_load --kind second_night --runs 3"
    make bench BENCH="--scale 1 --limit 100 --latency-ms 20 --database mariadb"

Prints a table, writes bench.json and a picture of the pipe for each kind. Every kind goes on with the warehouse that
the one before it left, and each of the `--runs` begins with an empty one. `plain_client` asks for the addresses of the
chain before it and does nothing with the answers. `instant` is the first load of another warehouse from vendors without
limit and latency: what Dagster, the database and our own work cost. Ends with 1 if a run failed or a call was refused.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.pipe import Pipe, Span, draw, phases_of, pipe_of, waiting
from benchmarks.processes import Used, Watcher
from benchmarks.vendors import Call, Vendors, needed, read_addresses, vendors
from lms_assets.console.commands import demo
from lms_assets_tests.harness.mariadb import MariaDbServer

COMMAND = str(Path(sys.executable).with_name("lms-assets"))
CHANGED_PEOPLE, PUSHED_PARTNERS = 50, 10
KINDS = {
    "first_load": ["run", "daily_full"],
    "second_night": ["run", "daily_full"],
    "plain_client": [sys.executable, "-m", "benchmarks.plain_client"],
    "changed_people": ["run", "enrollments_incremental"],
    "push": ["run", "push_to_impartner"],
    "nothing_new": ["run", "enrollments_incremental"],
    "status": ["status"],
    "why": ["why", "{partner}"],
    "instant": ["run", "daily_full"],
}
BOUND_BY_ALL_CALLS = ("changed_people", "push", "nothing_new")


@dataclass(frozen=True)
class Result:
    """What one kind came to. `bound`: the calls that it needs, by the limit, of the vendor who takes longer."""

    kind: str
    code: int
    seconds: float
    bound: float
    needed: dict[str, int]
    by_endpoint: dict[str, int]
    pipes: dict[str, Pipe]
    steps: dict[str, float]
    phases: dict[str, float]
    processes: list[Used]

    @property
    def refused(self) -> int:
        """Calls refused by either vendor."""
        return sum(pipe.refused for pipe in self.pipes.values())


@dataclass
class Place:
    """A warehouse, a DAGSTER_HOME and two vendors: what a command is run with; and what the last chain asked for."""

    served: Vendors
    home: Path
    environment: dict[str, str]
    last_read: frozenset[str] = frozenset()

    @property
    def addresses(self) -> Path:
        """Where the plain client finds what it is to ask for."""
        return self.home.parent / "addresses"

    @classmethod
    def make(cls, folder: Path, served: Vendors, database: str) -> Place:
        """With an empty warehouse."""
        home = folder / "home"
        home.mkdir(parents=True)
        shutil.copyfile(Path(demo.__file__).with_name("demo_dagster.yaml"), home / "dagster.yaml")
        limit = str(served.limit or 1000)
        # As an installation has it: compiled modules are kept.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {
            **inherited,
            "DAGSTER_HOME": str(home),
            "NORTHPASS_BASE_URL": f"{served.url}/v2",
            "NORTHPASS_API_KEY": "sandbox-northpass-key",
            "NORTHPASS_REQUESTS_PER_SECOND": limit,
            "IMPARTNER_BASE_URL": f"{served.url}/api/objects/v1",
            "IMPARTNER_API_KEY": "sandbox-impartner-key",
            "IMPARTNER_REQUESTS_PER_SECOND": limit,
            "LMS_WAREHOUSE_URL": database or f"sqlite:///{folder / 'warehouse.db'}",
        }
        subprocess.run([COMMAND, "db", "upgrade"], env=environment, check=True, stdout=subprocess.DEVNULL)
        return cls(served, home, environment)

    def measure(self, kind: str, picture: Path) -> Result:
        """Run the command of a kind and look at everything it used."""
        # All of the vendors' data at scale 10 are a gigabyte: only who needs it asks for it.
        partner = _some_partner(self.served) if "{partner}" in KINDS[kind] else ""
        command = [each.format(partner=partner) for each in KINDS[kind]]
        if kind == "plain_client":
            self.addresses.write_text("\n".join(sorted(self.last_read)))
            command += [self.served.url, str(self.served.limit), str(self.addresses)]
        else:
            command = [COMMAND, *command]
        self.served.take_calls()
        begin = time.time()
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL)
        watcher = Watcher(process.pid)
        watcher.start()
        code = process.wait()
        end = time.time()
        processes = watcher.end()
        calls = self.served.take_calls()
        made, spans = self._run_since(begin) if command[1] == "run" else (begin, [])
        self.last_read = read_addresses(calls) or self.last_read
        limit = self.served.limit
        pipes = {
            vendor: pipe_of([call for call in calls if call.vendor == vendor], spans, begin, end, limit)
            for vendor in ("northpass", "impartner")
        }
        if calls:
            draw(picture, calls, spans, begin, end, limit)
        least = _least(kind, calls)
        steps = {span.name: round(span.end - span.begin, 1) for span in spans}
        bound = max(least.values()) / limit if limit else 0.0
        by_endpoint = dict(Counter(call.endpoint for call in calls))
        waited = waiting([call.at for call in calls], self.served.latency_seconds)
        phases = phases_of(begin, made, spans, waited, end) if spans else {}
        seconds = round(end - begin, 2)
        return Result(kind, code, seconds, round(bound, 1), least, by_endpoint, pipes, steps, phases, processes)

    def _run_since(self, since: float) -> tuple[float, list[Span]]:
        """When the last run was made, and its steps."""
        with contextlib.ExitStack() as stack:
            os.environ["DAGSTER_HOME"] = str(self.home)
            instance = stack.enter_context(dg.DagsterInstance.get())
            record = instance.get_run_records(limit=1)[0]
            stats = instance.get_run_step_stats(record.dagster_run.run_id)
            return record.create_timestamp.timestamp(), [
                Span(each.step_key, each.start_time, each.end_time)
                for each in stats
                if each.start_time and each.end_time and each.end_time > since
            ]


def _least(kind: str, calls: list[Call]) -> dict[str, int]:
    if kind in BOUND_BY_ALL_CALLS:
        return {name: sum(call.vendor == name for call in calls) for name in ("northpass", "impartner")}
    return {name: needed(calls, name) for name in ("northpass", "impartner")}


def _some_partner(served: Vendors) -> str:
    return str(served.state()["accounts"][0]["name"])


def _complete_courses(served: Vendors, people: int) -> None:
    """So many people of partners complete a certification."""
    state = served.state()
    certification = next(each["id"] for each in state["course_properties"] if each["properties"].get("npcu") in (1, 2))
    of_partners = {group for group, account in state["intended_links"].items() if account is not None}
    members = sorted({each["person_id"] for each in state["memberships"] if each["group_id"] in of_partners})
    known = {each["id"] for each in state["people"]}
    chosen = [each for each in members if each in known][:people]
    served.change([{"action": "complete_course", "person": each, "course": certification} for each in chosen])


@contextlib.contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
        return
    server = MariaDbServer()
    server.create()
    try:
        server.execute("CREATE DATABASE portal CHARACTER SET utf8mb4")
        yield server.url("portal")
    finally:
        server.remove()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1, help="1 is the real volume")
    parser.add_argument("--limit", type=int, default=10, help="calls a second of each vendor")
    parser.add_argument("--latency-ms", type=float, default=120)
    parser.add_argument(
        "--jitter-ms", type=float, default=0, help="how uneven the way to the vendors is, plus or minus"
    )
    parser.add_argument("--database", choices=("sqlite", "mariadb"), default="sqlite")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="several are done in the order given")
    parser.add_argument("--runs", type=int, default=1, help="how often all of it is done, each from an empty warehouse")
    parser.add_argument("--out", type=Path, default=Path("bench"), help="folder for bench.json and the pictures")
    return parser.parse_args()


def main() -> int:
    """Measure what was asked for; 0 when every run completed without a refused call."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    for number in range(1, options.runs + 1):
        print(f"\nrun {number} of {options.runs}", flush=True)
        _measure_all(options, results)
    _write(options, results)
    ours = [result for result in results if result.kind != "plain_client"]
    return int(any(result.code or result.refused for result in ours))


def _measure_all(options: argparse.Namespace, results: list[Result]) -> None:
    arguments = (options.scale, options.limit, options.latency_ms, options.jitter_ms)
    with tempfile.TemporaryDirectory() as name, _database(options.database) as database:
        folder = Path(name)
        with vendors(demo.free_port(), *arguments) as served:
            place = Place.make(folder / "paced", served, database)
            for kind in options.kind or list(KINDS):
                if kind == "instant":
                    continue
                if kind == "changed_people":
                    _complete_courses(served, CHANGED_PEOPLE)
                results.append(place.measure(kind, options.out / f"{kind}.png"))
                show(results[-1])
        if "instant" in (options.kind or KINDS):
            with vendors(demo.free_port(), options.scale, 0, 0, 0) as served:
                place = Place.make(folder / "instant", served, "")
                results.append(place.measure("instant", options.out / "instant.png"))
                show(results[-1])


def show(result: Result) -> None:
    """One kind on the terminal."""
    ratio = f"{result.seconds / result.bound:.3f} times the bound of {result.bound} s" if result.bound else "no bound"
    print(f"\n{result.kind}: {result.seconds:.1f} s, {ratio}, exit code {result.code}", flush=True)
    for vendor, pipe in result.pipes.items():
        if pipe.calls:
            print(
                f"  {vendor:<10} {pipe.calls} calls ({result.needed[vendor]} needed), {pipe.reached} a second, "
                f"at most {pipe.most_in_a_second} in one, {pipe.refused} refused, {pipe.idle} s without any"
            )
            lost = ", ".join(f"{name} {seconds}" for name, seconds in list(pipe.lost.items())[:8])
            print(f"  {'':<10} seconds lost while these ran: {lost}")
            for gap in pipe.gaps if vendor == "northpass" else []:
                print(f"  {'':<10} idle from {gap.begin:.1f} s for {gap.seconds:.1f} s: {gap.waited_for}")
    steps = {name: seconds for name, seconds in result.steps.items() if not name.endswith("_checks")}
    if steps:
        print("  steps      " + ", ".join(f"{name} {seconds}" for name, seconds in steps.items()))
    largest = ", ".join(f"{each.peak_mb:.0f} MB {each.processor_seconds:.1f} s" for each in result.processes[:4])
    if result.phases:
        print("  seconds    " + ", ".join(f"{seconds} {name}" for name, seconds in result.phases.items()))
    total = sum(each.processor_seconds for each in result.processes)
    print(f"  processes  {len(result.processes)}, processor {total:.1f} s; largest: {largest}")


def _write(options: argparse.Namespace, results: list[Result]) -> None:
    told: dict[str, Any] = {
        name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()
    }
    path = options.out / "bench.json"
    path.write_text(json.dumps({"options": told, "results": [asdict(each) for each in results]}, indent=1))
    print(f"\n{path} and a picture of the pipe for each kind are written.")


if __name__ == "__main__":
    sys.exit(main())
