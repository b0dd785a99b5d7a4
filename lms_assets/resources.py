"""Builds what the assets work with: clients, warehouse, rules. No HTTP, no SQL and no rules of its own.

Nothing is read or opened before a step asks for it, and no secret is part of a resource's configuration, so none
can show in Dagster's UI.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig, report_config
from lms_assets.settings import ConfigurationError, Settings, load_settings
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.warehouse.engine import Warehouse


class Connections(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Both vendors, the warehouse and the rules, as the environment of this process describes them."""

    def settings(self) -> Settings:
        """The environment, parsed.

        Raises:
            ConfigurationError: with one line for every variable that is missing or wrong.
        """
        return load_settings(os.environ)

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
    def warehouse(self) -> Iterator[Warehouse]:
        """The portal's database, refused unless its tables are this version's."""
        warehouse = Warehouse(self.settings().warehouse_url)
        try:
            warehouse.require_current_schema()
            yield warehouse
        finally:
            warehouse.close()

    @contextmanager
    def northpass(self) -> Iterator[NorthpassClient]:
        """A client of the LMS, closed at the end."""
        with northpass_client(self.settings()) as client:
            yield client

    @contextmanager
    def impartner(self) -> Iterator[ImpartnerClient]:
        """A client of the CRM, closed at the end."""
        with impartner_client(self.settings()) as client:
            yield client


def northpass_client(settings: Settings) -> NorthpassClient:
    """A client of the LMS; use it as a context manager."""
    vendor = settings.northpass
    return NorthpassClient(vendor.base_url, vendor.api_key, vendor.requests_per_second, state_dir=settings.state_dir)


def impartner_client(settings: Settings) -> ImpartnerClient:
    """A client of the CRM; use it as a context manager."""
    vendor = settings.impartner
    return ImpartnerClient(
        vendor.base_url, vendor.api_key, vendor.tenant_id, vendor.requests_per_second, state_dir=settings.state_dir
    )


def load_rules(settings: Settings) -> Rules:
    """The rules in force: the defaults, or what LMS_RULES_FILE changes in them.

    Raises:
        ConfigurationError: the file cannot be read or understood.
    """
    try:
        return Rules.from_mapping({key: value for key, value in _rules_file(settings).items() if key != "reports"})
    except ValueError as error:
        raise ConfigurationError([f"LMS_RULES_FILE: {error}"]) from error


def load_report_config(settings: Settings) -> ReportConfig:
    """How the reports look and measure: the defaults, or what the table `reports` of LMS_RULES_FILE changes in them.

    Raises:
        ConfigurationError: the file cannot be read or understood.
    """
    try:
        config = report_config(_rules_file(settings).get("reports", {}))
    except ValueError as error:
        raise ConfigurationError([f"LMS_RULES_FILE: {error}"]) from error
    return config if config.portal_url else replace(config, portal_url=settings.portal_url)


def _rules_file(settings: Settings) -> dict[str, Any]:
    if settings.rules_file is None:
        return {}
    try:
        return tomllib.loads(settings.rules_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"LMS_RULES_FILE: {error}"]) from error
