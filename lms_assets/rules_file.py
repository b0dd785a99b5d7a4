"""LMS_RULES_FILE, read: the rules, and how the reports look. Without Dagster, so that commands start quickly."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig, report_config
from lms_assets.settings import ConfigurationError, Settings


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
