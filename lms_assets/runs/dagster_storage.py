"""Dagster's own state in MySQL, with a time limit for every answer.

Dagster's class has none: a server that vanishes without closing its connections, by a power cut or in the network,
would hold webserver and daemon for ever. dagster.yaml names this class, so that every process of Dagster has it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mysql.connector
from dagster_mysql.storage import DagsterMySQLStorage

CONNECT_SECONDS, ANSWER_SECONDS = 10, 60

_connect = mysql.connector.connect


class BoundedMySQLStorage(DagsterMySQLStorage):
    """Configured as Dagster's, and gives one of Dagster's."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Any:
        """Set the limits for this process, since the configuration takes no options of the driver."""
        mysql.connector.connect = partial(
            _connect, connection_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, write_timeout=ANSWER_SECONDS
        )
        return super().from_config_value(inst_data, config_value)
