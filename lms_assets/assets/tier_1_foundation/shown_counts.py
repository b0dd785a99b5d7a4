"""What the nightly listing of accounts shows of the fields that were pushed: they are asked for in the same calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from lms_assets.assets.crm_records import CrmSource
from lms_assets.assets.sync_run import Step
from lms_assets.domain.counting.crm_drift import fields_shown
from lms_assets.vendors.listing import Record
from lms_assets.vendors.transport.errors import RequestRejected
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.state.crm_shown import remember_shown
from lms_assets.warehouse.state.pushed_values import push_memory

T = TypeVar("T")
L = TypeVar("L")


class ShownCounts:
    """`fields` are those that the CRM ever confirmed, so that nothing is asked for that it may not know.

    `compared`: those of them that it showed.
    """

    def __init__(self, step: Step) -> None:
        with step.warehouse.read() as connection:
            confirmed = {number: pushed.fields for number, pushed in push_memory(connection).items()}
        ever = {name for fields in confirmed.values() for name in fields}
        self.fields = tuple(name for name in step.rules.crm_fields if name in ever)
        self.compared: tuple[str, ...] = ()
        self._accounts = {number for number, fields in confirmed.items() if fields}
        self._records: dict[int, dict[str, Any]] = {}
        self._began = step.started_at

    def read(self, source: CrmSource[T], listing: Callable[[CrmSource[T]], L]) -> tuple[CrmSource[T], L]:
        """The listing with our fields too, and the source that it came from.

        Where the CRM refuses that, it is read without them: the chain does not need them.
        """
        asking = replace(source, fields=(*source.fields, *self.fields), convert=self._watching(source.convert))
        try:
            return asking, listing(asking)
        except RequestRejected:
            if not self.fields:
                raise
            self._records.clear()
            return source, listing(source)

    def _watching(self, convert: Callable[[Record], T]) -> Callable[[Record], T]:
        """The conversion of a record, which is looked at when it comes by."""

        def seen(record: Record) -> T:
            number = record.get("Id")
            if number in self._accounts and self.fields and self.fields[0] in record:
                self._records[number] = {name: record.get(name) for name in self.fields}
            return convert(record)

        return seen

    def remember(self, connection: Connection) -> None:
        """Note what was shown, and since when it differs from what was confirmed."""
        self.compared = fields_shown(self.fields, list(self._records.values()))
        shown = {
            number: {name: record[name] for name in self.compared} for number, record in sorted(self._records.items())
        }
        remember_shown(connection, shown, at=self._began)
