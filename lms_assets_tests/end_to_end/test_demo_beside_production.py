"""The whole demo, its UI too, in a folder and an environment that belong to a production installation."""

from __future__ import annotations

import json
import os
import re
import signal
import socketserver
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lms_assets_tests.harness.commands import COMMAND, ROOT, wait_until
from lms_assets_tests.harness.waits import LONGEST_SECONDS, comes_about

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


LAUNCH = """mutation { launchRun(executionParams: {
  selector: {repositoryLocationName: "lms_assets.definitions", repositoryName: "__repository__",
             jobName: "push_to_impartner"},
  runConfigData: "{}", mode: "default"}) { __typename ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } } }"""
RUN = """query { runOrError(runId: "%s") { ... on Run { status } } }"""
SWITCHES = """query { repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name scheduleState { status } } } } } }"""


class Trap(socketserver.ThreadingTCPServer):
    """The production hosts: counts whoever calls."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.calls = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.calls += 1
        self.shutdown_request(request)


@contextmanager
def trap() -> Iterator[Trap]:
    server = Trap()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def production(folder: Path, port: int) -> dict[str, str]:
    """What a filled `.env` of production holds; every host is the trap."""
    home = folder / "production_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    host = f"127.0.0.1:{port}"
    return {
        "NORTHPASS_BASE_URL": f"http://{host}/v2",
        "NORTHPASS_API_KEY": "production-northpass-key",
        "IMPARTNER_BASE_URL": f"http://{host}/api/objects/v1",
        "IMPARTNER_API_KEY": "production-impartner-key",
        "LMS_WAREHOUSE_URL": f"sqlite:///{folder / 'production.db'}",
        "LMS_ALERT_URLS": f"json://{host}/alerts",
        "LMS_HEARTBEAT_URL": f"http://{host}/alive",
        "LMS_SMTP_URL": f"smtp://user:password@{host}",
        "LMS_MAIL_FROM": "lms@example.com",
        "LMS_STATE_DIR": str(home / "state"),
        "LMS_REPORTS_DIR": str(home / "reports"),
        "DAGSTER_HOME": str(home),
    }


def ask(address: str, query: str) -> Any:
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def processes_of(folder: Path) -> list[str]:
    """What still runs in a folder or below it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_the_demo_reaches_nothing_but_its_own_sandbox(tmp_path: Path):
    folder = tmp_path
    with trap() as hosts:
        variables = production(folder, hosts.server_address[1])
        env = folder / ".env"
        env.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")
        env.chmod(0o600)
        with demo(folder, variables) as (process, address):
            started = ask(address, LAUNCH)["launchRun"]
            assert started["__typename"] == "LaunchRunSuccess", started
            run = started["run"]["runId"]
            ended = {"SUCCESS", "FAILURE", "CANCELED"}
            assert wait_until(lambda: ask(address, RUN % run)["runOrError"]["status"] in ended, process)
            assert ask(address, RUN % run)["runOrError"]["status"] == "SUCCESS"
            nodes = ask(address, SWITCHES)["repositoriesOrError"]["nodes"]
            assert {each["scheduleState"]["status"] for each in nodes[0]["schedules"]} == {"RUNNING"}
            process.send_signal(signal.SIGINT)
            process.wait(LONGEST_SECONDS)
        assert hosts.calls == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        ".demo",
        ".env",
        "demo.log",
        "production_home",
        "somebody",
    ]
    assert [path.name for path in (folder / "production_home").iterdir()] == ["dagster.yaml"]
    # A fork server ends by itself as soon as it sees that its parent is gone.
    assert comes_about(lambda: not processes_of(folder)), processes_of(folder)


@contextmanager
def demo(folder: Path, variables: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The demo up to its UI, in a shell that has the production variables too."""
    output = folder / "demo.log"
    home = folder / "somebody"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(home), "NO_COLOR": "1"}
    with output.open("w") as log:
        process = subprocess.Popen(
            [COMMAND, "demo", "--scale", "0.01"],
            env={**environment, **variables},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert wait_until(lambda: "Ctrl-C ends everything" in output.read_text(), process), output.read_text()
        found = re.search(r"Dagster's UI: (http://127\.0\.0\.1:\d+)", output.read_text())
        assert found
        yield process, found[1]
    finally:
        process.terminate()
        process.wait(LONGEST_SECONDS)
