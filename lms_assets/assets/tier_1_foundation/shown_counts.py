"""What the nightly listing of accounts shows of the fields that were pushed: they are asked for in the same calls."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, TypeVar

from lms_assets.assets.crm_records import CrmSource
from lms_assets.assets.sync_run import Step
from lms_assets.vendors.listing import Record
from lms_assets.vendors.transport.errors import RequestRejected
from lms_assets.warehouse.state.pushed_values import push_memory

T = TypeVar("T")
L = TypeVar("L")
Shown = dict[int, dict[str, Any]]
"""Field to value of each account that came by. Grows while the source is asked."""


def list_with_pushed_fields(
    step: Step, source: CrmSource[T], listing: Callable[[CrmSource[T]], L]
) -> tuple[CrmSource[T], L, Shown]:
    """The listing with those fields too that the CRM ever confirmed, the source that it came from, and what it shows.

    Nothing is asked for that the CRM may not know. Where it refuses them, it is read without: the chain does not need
    them.
    """
    with step.warehouse.read() as connection:
        confirmed = {number: pushed.fields for number, pushed in push_memory(connection).items() if pushed.fields}
    ever = {name for fields in confirmed.values() for name in fields}
    names = tuple(name for name in step.rules.crm_fields if name in ever)
    shown: Shown = {}
    watching = _watching(source.convert, names, confirmed, shown)
    asking = replace(source, fields=(*source.fields, *names), convert=watching)
    try:
        return asking, listing(asking), shown
    except RequestRejected:
        if not names:
            raise
        shown.clear()
        return source, listing(source), shown


def _watching(
    convert: Callable[[Record], T], names: tuple[str, ...], accounts: Collection[int], shown: Shown
) -> Callable[[Record], T]:
    """The conversion of a record, which is looked at when it comes by."""

    def seen(record: Record) -> T:
        number = record.get("Id")
        if isinstance(number, int) and number in accounts and names and names[0] in record:
            shown[number] = {name: record.get(name) for name in names}
        return convert(record)

    return seen
