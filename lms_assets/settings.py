"""The environment, parsed once. Nothing here is read at import.

Every mistake is collected before anything is refused, so that a person fixes the whole environment in one go.
Defaults are those of the table in the README.
"""

from __future__ import annotations

import ipaddress
import math
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from lms_assets.demo_limits import demo_problems
from lms_assets.domain.rules import MOST_NIGHTS
from lms_assets.redaction import is_weak, secrets_of_channel, secrets_of_url

NORTHPASS_BASE_URL = "https://api.northpass.com/v2"
IMPARTNER_BASE_URL = "https://prod.impartner.live/api/objects/v1"
UI_URL = "http://127.0.0.1:3000"
EXECUTORS = ("multiprocess", "in_process", "celery", "k8s")
SEVERAL_MACHINES = ("celery", "k8s")
"""With these, whatever processes share stands in the warehouse's server and not in a file."""
PUSH_EVERY = timedelta(hours=6)
PUSH_EVERY_BOUNDS = (5, 1440)
TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"", "0", "false", "no", "off"}


class ConfigurationError(Exception):
    """The environment cannot be used; `problems` holds one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("configuration: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class NorthpassSettings:
    """How to reach the LMS; the limit is in requests per second."""

    base_url: str
    api_key: str = field(repr=False)
    requests_per_second: float = 10.0


@dataclass(frozen=True)
class ImpartnerSettings:
    """How to reach the partner CRM; the limit is in requests per second."""

    base_url: str
    api_key: str = field(repr=False)
    tenant_id: str = "1"
    requests_per_second: float = 10.0


@dataclass(frozen=True)
class Settings:
    """All that the environment says. URLs that may carry a password are kept out of `repr`."""

    northpass: NorthpassSettings
    impartner: ImpartnerSettings
    warehouse_url: str = field(repr=False)
    push_dry_run: bool = False
    push_every: timedelta = PUSH_EVERY
    full_read_nights: int | None = None
    alert_urls: tuple[str, ...] = field(default=(), repr=False)
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    daily_digest: bool = True
    heartbeat_url: str | None = field(default=None, repr=False)
    portal_url: str | None = None
    ui_url: str = UI_URL
    docs_url: str | None = None
    git_url: str | None = None
    rules_file: Path | None = None
    reports_dir: Path = Path("reports-out")
    state_dir: Path | None = None
    executor: str = "multiprocess"
    redis_url: str | None = field(default=None, repr=False)

    dagster_password: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never reach a log, an event, metadata or an alert; see `lms_assets.redaction`."""
        channels = [url for url in (self.heartbeat_url, *self.alert_urls) if url]
        found = [secret for _, secrets in self._by_variable() for secret in secrets]
        return (*found, *(secret for url in channels for secret in secrets_of_channel(url)))

    @property
    def weak_secrets(self) -> tuple[str, ...]:
        """Variables whose secret is so short, or so common a word, that ordinary text holds it too."""
        return tuple(name for name, secrets in self._by_variable() if any(map(is_weak, secrets)))

    def _by_variable(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (
            ("NORTHPASS_API_KEY", (self.northpass.api_key,)),
            ("IMPARTNER_API_KEY", (self.impartner.api_key,)),
            ("LMS_WAREHOUSE_URL", secrets_of_url(self.warehouse_url)),
            ("LMS_SMTP_URL", secrets_of_url(self.smtp_url or "")),
            ("LMS_REDIS_URL", secrets_of_url(self.redis_url or "")),
            ("DAGSTER_MYSQL_PASSWORD", (self.dagster_password,) if self.dagster_password else ()),
        )


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Parse and check the whole environment.

    Raises:
        ConfigurationError: with one line for every variable that is missing or wrong.
    """
    reader = _Reader(environment)
    settings = Settings(
        northpass=NorthpassSettings(
            base_url=reader.base_url("NORTHPASS_BASE_URL", NORTHPASS_BASE_URL),
            api_key=reader.required("NORTHPASS_API_KEY", "the LMS's API key"),
            requests_per_second=reader.rate("NORTHPASS_REQUESTS_PER_SECOND"),
        ),
        impartner=ImpartnerSettings(
            base_url=reader.base_url("IMPARTNER_BASE_URL", IMPARTNER_BASE_URL),
            api_key=reader.required("IMPARTNER_API_KEY", "the CRM's API key"),
            tenant_id=reader.text("IMPARTNER_TENANT_ID") or "1",
            requests_per_second=reader.rate("IMPARTNER_REQUESTS_PER_SECOND"),
        ),
        warehouse_url=reader.warehouse_url(),
        push_dry_run=reader.flag("LMS_PUSH_DRY_RUN"),
        push_every=reader.push_every(),
        full_read_nights=reader.nights("LMS_FULL_READ_NIGHTS"),
        alert_urls=tuple(reader.text("LMS_ALERT_URLS").split()),
        daily_digest=reader.flag("LMS_DAILY_DIGEST", default=True),
        smtp_url=reader.smtp_url(),
        mail_from=reader.text("LMS_MAIL_FROM") or None,
        heartbeat_url=reader.web_url("LMS_HEARTBEAT_URL"),
        portal_url=reader.web_url("LMS_PORTAL_URL"),
        ui_url=(reader.page_url("LMS_UI_URL") or UI_URL).rstrip("/"),
        docs_url=reader.page_url("LMS_DOCS_URL"),
        git_url=reader.page_url("LMS_GIT_URL"),
        rules_file=reader.rules_file(),
        reports_dir=Path(reader.text("LMS_REPORTS_DIR") or "reports-out"),
        state_dir=_state_dir(reader),
        executor=reader.text("LMS_EXECUTOR") or "multiprocess",
        redis_url=reader.text("LMS_REDIS_URL") or None,
        dagster_password=reader.text("DAGSTER_MYSQL_PASSWORD") or None,
    )
    if reader.text("LMS_LOG_FORMAT").lower() not in ("", "text", "json"):
        reader.wrong("LMS_LOG_FORMAT", "must be text or json")
    _check_executor(reader, settings)
    if settings.smtp_url and not settings.mail_from:
        reader.wrong("LMS_MAIL_FROM", "is not set; LMS_SMTP_URL needs a sender address")
    base_urls = (settings.northpass.base_url, settings.impartner.base_url)
    reader.problems += demo_problems(environment, base_urls, settings.warehouse_url, reader.text("DAGSTER_HOME"))
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return settings


def _check_executor(reader: _Reader, settings: Settings) -> None:
    executor = settings.executor
    if executor not in EXECUTORS:
        reader.wrong("LMS_EXECUTOR", f"must be one of {', '.join(EXECUTORS)}")
    if executor in SEVERAL_MACHINES and settings.warehouse_url.startswith("sqlite"):
        reader.wrong("LMS_EXECUTOR", f"{executor} needs a warehouse on MySQL or MariaDB: machines cannot share a file")
    redis_url = settings.redis_url or ""
    if executor == "celery" and not redis_url.startswith(("redis://", "rediss://", "unix://")):
        reader.wrong("LMS_REDIS_URL", "must hold the address of Redis, redis://:password@host:6379/0, for celery")


def page_link(environment: Mapping[str, str], name: str) -> str:
    """A page's address for the graph's own links, which are made before settings are read; "" for none or a wrong one.

    What is wrong with it is said by `load_settings`.
    """
    value = environment.get(name, "").strip()
    try:
        return "" if _page_url_problem(value) else value
    except ValueError:
        return ""


def _page_url_problem(value: str) -> str | None:
    parts = urlsplit(value)
    _ = parts.port
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        return "must be a full http:// or https:// URL"
    # It is shown in the UI and in alerts.
    return "must not hold a user or password" if parts.username or parts.password else None


def _state_dir(reader: _Reader) -> Path | None:
    """Where processes of one machine share their rate limit; unset means each process limits itself."""
    home = reader.text("LMS_STATE_DIR") or reader.text("DAGSTER_HOME")
    return Path(home) / "limits" if home else None


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address stays on this machine."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Reader:
    """Reads variables and collects what is wrong with them, in the order of reading."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def wrong(self, name: str, problem: str) -> None:
        self.problems.append(f"{name} {problem}")

    def text(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def required(self, name: str, what: str) -> str:
        value = self.text(name)
        if not value:
            self.wrong(name, f"is not set; it must hold {what}")
        elif any(not 32 < ord(char) < 127 for char in value):
            self.wrong(name, "holds characters that cannot stand in an HTTP header; paste it again")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in TRUE_WORDS | FALSE_WORDS:
            self.wrong(name, "must be 1 or 0")
        return value in TRUE_WORDS

    def nights(self, name: str) -> int | None:
        value = self.text(name)
        if value and not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MOST_NIGHTS):
            self.wrong(name, f"must be a number of nights, 1 to {MOST_NIGHTS}")
            return None
        return int(value) if value else None

    def rate(self, name: str) -> float:
        value = self.text(name) or "10"
        try:
            rate = float(value)
        except ValueError:
            rate = math.nan
        if not 0 < rate <= 1000:
            self.wrong(name, "must be a number above 0 (requests per second)")
            return 10.0
        return rate

    def push_every(self) -> timedelta:
        name, (least, most) = "LMS_PUSH_EVERY_MINUTES", PUSH_EVERY_BOUNDS
        value = self.text(name)
        if not value:
            return PUSH_EVERY
        minutes = int(value) if value.isascii() and value.isdecimal() and len(value) <= len(str(most)) else 0
        if not least <= minutes <= most:
            self.wrong(name, f"must be a whole number of minutes from {least} to {most}")
        return timedelta(minutes=minutes)

    def base_url(self, name: str, default: str) -> str:
        return self._url(name, self.text(name) or default, self._base_url_problem).rstrip("/")

    def web_url(self, name: str) -> str | None:
        value = self.text(name)
        return self._url(name, value, self._base_url_problem) if value else None

    def page_url(self, name: str) -> str | None:
        """A page that people open: plain http is allowed, since no key is sent there."""
        value = self.text(name)
        return self._url(name, value, _page_url_problem) if value else None

    def _url(self, name: str, value: str, problem_of: Callable[[str], str | None]) -> str:
        try:
            problem = problem_of(value)
        except ValueError:
            problem = "is not a URL"
        if problem:
            self.wrong(name, problem)
        return value

    @staticmethod
    def _base_url_problem(value: str) -> str | None:
        parts = urlsplit(value)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            return "must be a full https:// URL"
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            return "must use https:// (http:// only for this machine): the key would travel in clear text"
        if parts.username or parts.password:
            return "must not hold a user or password"
        _ = parts.port
        return None

    def warehouse_url(self) -> str:
        value = self.text("LMS_WAREHOUSE_URL")
        if not value:
            self.wrong(
                "LMS_WAREHOUSE_URL",
                "is not set; for example sqlite:///warehouse.db or mysql+pymysql://user:password@host/portal",
            )
            return value
        scheme = value.partition(":")[0]
        if scheme.partition("+")[0] not in {"sqlite", "mysql", "mariadb"} or "://" not in value:
            self.wrong("LMS_WAREHOUSE_URL", "must start with sqlite:/// or mysql+pymysql://")
        return value

    def smtp_url(self) -> str | None:
        value = self.text("LMS_SMTP_URL")
        if not value:
            return None
        return self._url("LMS_SMTP_URL", value, self._smtp_problem)

    @staticmethod
    def _smtp_problem(value: str) -> str | None:
        parts = urlsplit(value)
        _ = parts.port
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            return "must look like smtp://user:password@host:587 or smtps://user:password@host:465"
        return None

    def rules_file(self) -> Path | None:
        value = self.text("LMS_RULES_FILE")
        if not value:
            return None
        path = Path(value)
        if not path.is_file():
            self.wrong("LMS_RULES_FILE", f"names a file that does not exist: {path}")
        return path


def readable_by_others(path: Path) -> bool:
    """Whether a file with secrets can be read by users other than its owner."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
