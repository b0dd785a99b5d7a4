"""Adds the chain log to every run, whatever Dagster's configuration is.

A handler can be named in dagster.yaml only, and a chain in a home without that line would push and leave no record:
no row to show, nothing to resume. So it is added where a run's log is set up, in each process that loads the graph.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import dagster as dg

from lms_assets.automation.chain_log import ChainLogHandler
from lms_assets.runs.json_logs import json_handler, json_wanted, log_as_json

_as_configured = dg.DagsterInstance.get_handlers


def _with_chain_log(instance: dg.DagsterInstance) -> Sequence[logging.Handler]:
    handlers = _as_configured(instance)
    # What an instance in memory has run is forgotten with it: there is nothing to go on from.
    if not instance.is_persistent or any(isinstance(each, ChainLogHandler) for each in handlers):
        return [*handlers, *_as_json()]
    return [*handlers, ChainLogHandler(logging.DEBUG), *_as_json()]


def _as_json() -> list[logging.Handler]:
    """Where the environment asks for it: a handler for the run's log; this program's own loggers follow."""
    log_as_json()
    return [json_handler()] if json_wanted() else []


def add_chain_log() -> None:
    """Do so in this process, from now on; once is enough, and twice is the same."""
    dg.DagsterInstance.get_handlers = _with_chain_log  # type: ignore[method-assign, assignment]
