"""LMS_RULES_FILE, read: the rules, and how the reports look. Without Dagster, so that commands start quickly."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from lms_assets.domain.checked_values import WrongValues
from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig, report_config
from lms_assets.settings import ConfigurationError, Settings


def load_rules(settings: Settings) -> Rules:
    """The rules in force: the defaults, or what LMS_RULES_FILE and LMS_FULL_READ_NIGHTS change in them.

    Raises:
        ConfigurationError: the file cannot be read or understood; one line for each mistake.
    """
    rules = _in_force(settings)[0]
    nights = settings.full_read_nights
    return rules if nights is None else replace(rules, full_read_nights=nights)


def load_report_config(settings: Settings) -> ReportConfig:
    """How the reports look and measure: the defaults, or what the table `reports` of LMS_RULES_FILE changes in them.

    Raises:
        ConfigurationError: the file cannot be read or understood; one line for each mistake.
    """
    config = _in_force(settings)[1]
    return config if config.portal_url else replace(config, portal_url=settings.portal_url)


def read_rules_file(path: Path, name: str) -> tuple[Rules, ReportConfig, dict[str, Any]]:
    """The rules and the reports' configuration that a TOML file asks for, and what it says itself.

    Args:
        name: what a mistake is named by.

    Raises:
        ConfigurationError: the file cannot be read or understood; one line for each mistake.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{name}: {error}"]) from error
    problems: list[str] = []
    rules, config = Rules(), ReportConfig()
    try:
        rules = Rules.from_mapping({key: value for key, value in given.items() if key != "reports"})
    except WrongValues as error:
        problems += error.problems
    try:
        config = report_config(given.get("reports", {}))
    except WrongValues as error:
        problems += [f"reports: {each}" for each in error.problems]
    if problems:
        raise ConfigurationError([f"{name}: {each}" for each in problems])
    return rules, config, given


def _in_force(settings: Settings) -> tuple[Rules, ReportConfig]:
    if settings.rules_file is None:
        return Rules(), ReportConfig()
    return read_rules_file(settings.rules_file, "LMS_RULES_FILE")[:2]
