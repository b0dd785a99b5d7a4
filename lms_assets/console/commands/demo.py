"""The demo: sandbox, embedded warehouse, one chain, a summary, and Dagster's UI.

Everything it makes lies in `.demo/`; what it starts it ends again, by process id.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from lms_assets.console.command import end_like_by_ctrl_c
from lms_assets.console.commands import demo_environment
from lms_assets.console.running.run import RunOptions, run_command
from lms_assets.domain.schedule import CHAIN
from lms_assets.warehouse.engine import Warehouse

FAILED = 1
UI_PORT = 3000
LOCATION = 'repositoryName: "__repository__", repositoryLocationName: "lms_assets.definitions",'
START_SECONDS = 60
STOP_SECONDS = 20
ENDED_EARLY = """
Ended by Ctrl-C; nothing of the demo runs any more.
What was read stays in .demo/, and the next demo continues from it. To start again, delete .demo/ first."""


def demo_command(console: Console, *, exit_after_summary: bool, scale: float) -> int:
    """Run the chain against the sandbox; returns the chain's exit code."""
    end_like_by_ctrl_c()
    folder = Path(".demo").resolve()
    folder.mkdir(exist_ok=True)
    if not (folder / "warehouse.db").exists():
        console.print("First run: making up two vendors and an empty warehouse in .demo/", highlight=False)
    port = free_port()
    demo_environment.enter(folder, port)
    _prepare_home(folder)
    with _sandbox(folder, scale, port):
        Warehouse(os.environ["LMS_WAREHOUSE_URL"]).upgrade()
        console.print(f"Sandbox of both vendors on http://127.0.0.1:{port}\n", highlight=False)
        try:
            code = _chain_and_reports(console)
        except KeyboardInterrupt:
            console.print(ENDED_EARLY, highlight=False, soft_wrap=True)
            return FAILED
        if not exit_after_summary:
            _serve_ui(console)
        return code


def _chain_and_reports(console: Console) -> int:
    code = run_command(RunOptions(CHAIN, here=True), console)
    if code == FAILED:
        return code
    console.print("\nThe Monday reports:", highlight=False)
    return max(code, run_command(RunOptions("weekly_reports", here=True), console))


def _prepare_home(folder: Path) -> None:
    home = folder / "dagster_home"
    shutil.copyfile(Path(__file__).with_name("demo_dagster.yaml"), home / "dagster.yaml")


def _remembered(folder: Path, scale: float) -> dict[str, str]:
    """Seed, scale and clock of the sandbox, the same at every run so that a second one finds nothing new."""
    path = folder / "sandbox.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if known.get("scale") != str(scale):
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        known = {"scale": str(scale), "seed": "1", "now": now.isoformat()}
        path.write_text(json.dumps(known), encoding="utf-8")
    return dict(known)


@contextmanager
def _sandbox(folder: Path, scale: float, port: int) -> Iterator[None]:
    known = _remembered(folder, scale)
    command = [sys.executable, "-m", "lms_assets.cli", "sandbox", "--port", str(port)]
    command += ["--scale", known["scale"], "--seed", known["seed"], "--now", known["now"]]
    with (folder / "sandbox.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own CLI
    try:
        _wait_for(port, process, folder / "sandbox.log")
        yield
    finally:
        _end(process)


def free_port(preferred: int = 0) -> int:
    """A free port on loopback: the preferred one when nobody has it."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", preferred))
        except OSError:
            candidate.bind(("127.0.0.1", 0))
        return int(candidate.getsockname()[1])


class DidNotStart(Exception):
    """A process of the demo ended or did not answer; the message names its log."""


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart(f"A process of the demo ended at once (code {process.returncode}); see {log}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise DidNotStart(f"Nothing answered on port {port} within {START_SECONDS} seconds; see {log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started: nobody is left in its group."""
    _signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _serve_ui(console: Console) -> None:
    # Where SIGINT was ignored from the start, as in a script's background, Dagster's run left SIGTERM ignored too, and
    # what is ignored here would be ignored by what is started here.
    end_like_by_ctrl_c()
    port = free_port(UI_PORT)
    if port != UI_PORT:
        console.print(f"Port {UI_PORT} is taken; the UI is on {port} instead.", highlight=False)
    home = Path(os.environ["DAGSTER_HOME"])
    dagster = str(Path(sys.executable).with_name("dagster"))
    command = [dagster, "dev", "-m", "lms_assets.definitions", "-h", "127.0.0.1", "-p", str(port)]
    with (home / "dagster_dev.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(port, process, home / "dagster_dev.log")
        on = _switch_on(port)
        console.print(f"\nDagster's UI: [bold]{url}[/] (lineage: {url}/asset-groups)", highlight=False, soft_wrap=True)
        schedules = (
            "Schedules are on." if on else f"Schedules could not be switched on; see {home / 'dagster_dev.log'}."
        )
        console.print(f"{schedules} Ctrl-C ends everything.", highlight=False, soft_wrap=True)
        process.wait()
    except KeyboardInterrupt:
        console.print("\nEnding the UI and the sandbox ...", highlight=False)
    finally:
        _end(process)


def _switch_on(port: int) -> bool:
    """Whether the UI has switched on every schedule and the sensor of the push, as a click there does."""
    from lms_assets.automation.jobs import SCHEDULES

    started = [f'startSchedule(scheduleSelector: {{{LOCATION} scheduleName: "{each.name}"}})' for each in SCHEDULES]
    started.append(f'startSensor(sensorSelector: {{{LOCATION} sensorName: "push_after_enrollments_sensor"}})')
    calls = " ".join(f"call_{number}: {call} {{__typename}}" for number, call in enumerate(started))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    headers = {"Content-Type": "application/json"}
    try:
        connection.request("POST", "/graphql", json.dumps({"query": f"mutation {{{calls}}}"}), headers)
        answer = json.loads(connection.getresponse().read())
    except (OSError, ValueError):
        return False
    finally:
        connection.close()
    kinds = [each["__typename"] for each in (answer.get("data") or {}).values()]
    return len(kinds) == len(started) and set(kinds) <= {"ScheduleStateResult", "Sensor"}
