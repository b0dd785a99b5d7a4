"""`lms-assets init DIR`: writes what an installation needs. Asks nothing that it can find out, works from the wheel.

What the environment of the caller says already goes into `.env`; what only a person can know is named at the end.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console

from lms_assets.console.command import program_version, quoted, terminal_user
from lms_assets.console.commands import demo_environment
from lms_assets.domain.schedule import CHAIN
from lms_assets.settings import ConfigurationError

TEMPLATES = Path(__file__).with_name("templates")
EXAMPLE_HOST = "dagster.example.com"
SERVICES = ("webserver", "daemon", "metrics")
SANDBOX_PORT = 8765
PRIVATE, PUBLIC = 0o600, 0o644
# Without a value of these nothing runs; each is a secret or holds one.
ASKED_OF_PEOPLE = ("NORTHPASS_API_KEY", "IMPARTNER_API_KEY", "LMS_WAREHOUSE_URL", "DAGSTER_MYSQL_PASSWORD")
_PLAIN = re.compile(r"[\w@%+=:,./-]*")


@dataclass(frozen=True)
class InitOptions:
    """What a person chose: `host` is the name by which people open the UI."""

    folder: Path
    compose: bool = False
    sandbox: bool = False
    host: str | None = None
    force: bool = False


@dataclass(frozen=True)
class File:
    """A file to be written: its place below the folder, its text and its mode."""

    place: str
    text: str
    mode: int = PUBLIC


def init_command(options: InitOptions, console: Console) -> int:
    """Write the files, print them and what comes next; returns 0.

    Raises:
        ConfigurationError: files that would be overwritten, or a folder that cannot be written. Nothing was written.
    """
    folder = options.folder.absolute()
    values = _values(options, folder, os.environ)
    files = _files(options, folder, values)
    replaced = [each.place for each in files if (folder / each.place).exists()]
    if replaced and not options.force:
        kept = ", ".join(replaced)
        raise ConfigurationError([f"{folder} already holds {kept}; --force replaces them and keeps each as .bak"])
    try:
        for name in ("dagster_home", "reports"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in files:
            _write(folder / each.place, each)
    except OSError as error:
        raise ConfigurationError([f"{error.filename or folder} cannot be written: {error.strerror}"]) from None
    for each in files:
        again = " (the old file is .bak)" if each.place in replaced else ""
        console.print(f"[green]✓[/] {quoted(folder / each.place)}{again}", highlight=False, soft_wrap=True)
    for line in _next_steps(options, folder, values):
        console.print(quoted(line), highlight=False, soft_wrap=True)
    return 0


def _files(options: InitOptions, folder: Path, values: Mapping[str, str]) -> list[File]:
    env = File(".env", filled_in(_template("env.example"), values), PRIVATE)
    workspace, dagster_yaml = _template("workspace.yaml"), _template("dagster.yaml")
    if options.sandbox:
        dagster_yaml = Path(demo_environment.__file__).with_name("demo_dagster.yaml").read_text(encoding="utf-8")
        return [
            env,
            File("workspace.yaml", workspace),
            File("dagster_home/dagster.yaml", dagster_yaml),
        ]
    host = options.host or EXAMPLE_HOST
    proxy = _template("lms-assets.conf").replace(EXAMPLE_HOST, host)
    if options.compose:
        proxy = proxy.replace("server 127.0.0.1:3000;", "server webserver:3000;")
        started = [File("compose.yaml", _rendered("compose.yaml", version=program_version(), host=host))]
    else:
        started = [File(f"systemd/lms-assets-{name}.service", _service(name, folder)) for name in SERVICES]
    return [
        env,
        File("workspace.yaml", workspace),
        File("dagster_home/dagster.yaml", dagster_yaml),
        File("nginx/lms-assets.conf", proxy),
        *started,
    ]


def _values(options: InitOptions, folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What goes into `.env`: the folder's own places, and what the caller's environment says besides."""
    if options.sandbox:
        return demo_environment.sandbox_variables(folder, SANDBOX_PORT)
    names = re.findall(r"^([A-Z_]+)=", _template("env.example"), re.MULTILINE)
    known = {name: environment[name] for name in names if environment.get(name)}
    own = {"DAGSTER_HOME": str(folder / "dagster_home"), "LMS_REPORTS_DIR": str(folder / "reports")}
    if options.host:
        own["LMS_UI_URL"] = f"https://{options.host}"
    return {**known, **own}


def filled_in(example: str, values: Mapping[str, str]) -> str:
    """The example's lines with these values; the comments stay."""
    lines = []
    for line in example.splitlines():
        name, sign, _ = line.partition("=")
        lines.append(f"{name}={in_file(values[name])}" if sign and name in values else line)
    return "\n".join(lines) + "\n"


def in_file(value: str) -> str:
    """A value as systemd, compose and python-dotenv all read it.

    Raises:
        ConfigurationError: no form means the same to all of them.
    """
    if _PLAIN.fullmatch(value):
        return value
    if "'" in value or "\\" in value or "\n" in value:
        raise ConfigurationError(["a value with a quote, a backslash or a line break cannot stand in .env: change it"])
    return f"'{value}'"


def _service(name: str, folder: Path) -> str:
    fixed = {"folder": _in_unit(folder), "user": terminal_user(), "programs": _in_unit(Path(sys.executable).parent)}
    hardening = _rendered("hardening.conf", folder=fixed["folder"])
    return _rendered(f"lms-assets-{name}.service", hardening=hardening, **fixed)


def _in_unit(path: Path) -> str:
    """A path in a unit file, where `%` begins a specifier and a blank ends a word.

    Raises:
        ConfigurationError: a path with a blank or a quote, which not every line of a unit takes.
    """
    text = str(path)
    if shlex.quote(text) != text:
        raise ConfigurationError([f"systemd cannot use the path {text}: choose one without blanks and quotes"])
    return text.replace("%", "%%")


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _rendered(template: str, **values: str) -> str:
    made = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - no HTML
    return made.get_template(template).render(values)


def _write(path: Path, file: File) -> None:
    """Write beside the place and rename, readable as its mode says from the first byte."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_name(f"{path.name}.bak"))
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode), "w", encoding="utf-8") as written:
        written.write(file.text)
    beside.replace(path)


def _next_steps(options: InitOptions, folder: Path, values: Mapping[str, str]) -> list[str]:
    enter = f"  cd {shlex.quote(str(folder))}"
    first = ["  lms-assets db upgrade", "  lms-assets preflight", f"  lms-assets run {CHAIN}"]
    if options.sandbox:
        return ["Next:", enter, f"  lms-assets sandbox --port {SANDBOX_PORT} &", *first]
    missing = [name for name in ASKED_OF_PEOPLE if not values.get(name)]
    fill_in = [f"Next, fill in {', '.join(missing)} in {folder / '.env'}. Then:"] if missing else ["Next:"]
    if options.compose:
        login = "  the login and the certificate: see nginx/lms-assets.conf"
        inside = [line.replace("lms-assets", "docker compose run --rm daemon lms-assets", 1) for line in first]
        return [*fill_in, enter, login, *inside, "  docker compose up -d"]
    units = [
        "  sudo cp systemd/*.service /etc/systemd/system/ && sudo systemctl daemon-reload",
        f"  sudo systemctl enable --now {' '.join(f'lms-assets-{name}' for name in SERVICES)}",
        "  the reverse proxy: see nginx/lms-assets.conf",
    ]
    return [*fill_in, enter, *first, *units]
