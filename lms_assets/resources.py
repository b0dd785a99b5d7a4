"""One resource for each outside system: clients, warehouse, rules. No HTTP, no SQL and no rules of its own.

Nothing is read or opened before a step asks for it. A resource's fields are names of variables, so no value can show in
Dagster's UI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import dagster as dg

from lms_assets.domain.rules import Rules
from lms_assets.rules_file import load_rules
from lms_assets.settings import SEVERAL_MACHINES, Settings, load_settings
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.rate_limit import FileRequestLog, RequestLog, RequestLogOf
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.request_log import WarehouseRequestLog

# A field holds the name of a variable, `{"env": NAME}`, and not its value: Dagster would fail on the first one that is
# unset, required or not, and keep secrets in the resource. The UI shows the names either way.
Variable = Any


class OutsideSystem(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One system outside of this process, by the variables that say how to reach it. Opens nothing by itself."""

    @classmethod
    def of_environment(cls) -> Self:
        """With every field named, so that the UI shows which variables are used here."""
        return cls(**{name: field.default for name, field in cls.model_fields.items()})

    def settings(self) -> Settings:
        """The environment, parsed; a field that holds a value stands before its variable.

        Raises:
            ConfigurationError: with one line for every variable that is missing or wrong, also for other systems'.
        """
        given = {
            field.default.env_var_name: value
            for name, field in type(self).model_fields.items()
            # A resource made by hand holds the EnvVar itself, which is a str as well: the variable's name, no value.
            if isinstance(value := getattr(self, name), str) and not isinstance(value, dg.EnvVar)
        }
        return load_settings({**os.environ, **given})


class NorthpassResource(OutsideSystem):
    """The LMS."""

    base_url: Variable = dg.EnvVar("NORTHPASS_BASE_URL")
    api_key: Variable = dg.EnvVar("NORTHPASS_API_KEY")
    requests_per_second: Variable = dg.EnvVar("NORTHPASS_REQUESTS_PER_SECOND")
    state_dir: Variable = dg.EnvVar("LMS_STATE_DIR")

    @contextmanager
    def client(self) -> Iterator[NorthpassClient]:
        """A client of the LMS, closed at the end."""
        with northpass_client(self.settings()) as client:
            yield client


class ImpartnerResource(OutsideSystem):
    """The partner CRM."""

    base_url: Variable = dg.EnvVar("IMPARTNER_BASE_URL")
    api_key: Variable = dg.EnvVar("IMPARTNER_API_KEY")
    tenant_id: Variable = dg.EnvVar("IMPARTNER_TENANT_ID")
    requests_per_second: Variable = dg.EnvVar("IMPARTNER_REQUESTS_PER_SECOND")
    state_dir: Variable = dg.EnvVar("LMS_STATE_DIR")
    push_dry_run: Variable = dg.EnvVar("LMS_PUSH_DRY_RUN")
    push_every_minutes: Variable = dg.EnvVar("LMS_PUSH_EVERY_MINUTES")
    portal_url: Variable = dg.EnvVar("LMS_PORTAL_URL")

    @contextmanager
    def client(self) -> Iterator[ImpartnerClient]:
        """A client of the CRM, closed at the end."""
        with impartner_client(self.settings()) as client:
            yield client


class WarehouseResource(OutsideSystem):
    """The portal's database, and what every step that writes there needs beside it: the rules and the time."""

    url: Variable = dg.EnvVar("LMS_WAREHOUSE_URL")
    rules_file: Variable = dg.EnvVar("LMS_RULES_FILE")

    def rules(self) -> Rules:
        """The rules: the defaults, or what LMS_RULES_FILE changes in them.

        Raises:
            ConfigurationError: the file cannot be understood.
        """
        return load_rules(self.settings())

    def now(self) -> datetime:
        """The time, UTC: the one place where steps and checks read the clock."""
        return datetime.now(UTC)

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        """The portal's database, refused unless its tables are this version's."""
        with Warehouse.opened(self.settings().warehouse_url) as warehouse:
            yield warehouse


class MailerResource(OutsideSystem):
    """The mail server of the reports; without one they are written to files."""

    smtp_url: Variable = dg.EnvVar("LMS_SMTP_URL")
    mail_from: Variable = dg.EnvVar("LMS_MAIL_FROM")
    reports_dir: Variable = dg.EnvVar("LMS_REPORTS_DIR")


class AlertsResource(OutsideSystem):
    """Where incidents are reported, and the watcher that is called after each good chain."""

    urls: Variable = dg.EnvVar("LMS_ALERT_URLS")
    daily_digest: Variable = dg.EnvVar("LMS_DAILY_DIGEST")
    heartbeat_url: Variable = dg.EnvVar("LMS_HEARTBEAT_URL")
    ui_url: Variable = dg.EnvVar("LMS_UI_URL")
    docs_url: Variable = dg.EnvVar("LMS_DOCS_URL")


RESOURCES: dict[str, OutsideSystem] = {
    "northpass": NorthpassResource.of_environment(),
    "impartner": ImpartnerResource.of_environment(),
    "warehouse": WarehouseResource.of_environment(),
    "mailer": MailerResource.of_environment(),
    "alerts": AlertsResource.of_environment(),
}


def northpass_client(settings: Settings) -> NorthpassClient:
    """A client of the LMS; use it as a context manager."""
    vendor = settings.northpass
    log_of = request_logs(settings)
    return NorthpassClient(vendor.base_url, vendor.api_key, vendor.requests_per_second, log_of=log_of)


def impartner_client(settings: Settings) -> ImpartnerClient:
    """A client of the CRM; use it as a context manager."""
    vendor = settings.impartner
    return ImpartnerClient(
        vendor.base_url, vendor.api_key, vendor.tenant_id, vendor.requests_per_second, log_of=request_logs(settings)
    )


@dataclass(frozen=True)
class _LogsOfWarehouse:
    url: str = field(repr=False)

    def __call__(self, name: str) -> RequestLog:
        return WarehouseRequestLog(Warehouse(self.url), name)


@dataclass(frozen=True)
class _LogsInFolder:
    folder: Path

    def __call__(self, name: str) -> RequestLog:
        return FileRequestLog(self.folder / f"{name}.log")


def request_logs(settings: Settings) -> RequestLogOf | None:
    """Where all that use these keys note their requests: with several machines the warehouse's server, else files.

    None: each process for itself.
    """
    if settings.state_dir is None:
        return None
    if settings.executor in SEVERAL_MACHINES:
        return _LogsOfWarehouse(settings.warehouse_url)
    return _LogsInFolder(settings.state_dir)
