"""Builds the vendor state: the same one for the same seed, scale and reference time. Scale 1.0 takes seconds."""

from __future__ import annotations

import random

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.edge_cases import collection as edge_case
from lms_assets.sandbox.seeding import build_catalogue, build_crm, build_lms
from lms_assets.sandbox.state import names
from lms_assets.sandbox.state.factory import Factory
from lms_assets.sandbox.state.timestamps import to_text
from lms_assets.sandbox.state.vendor_state import VendorState
from lms_assets.sandbox.state.volumes import Volumes


def build_vendor_state(config: SandboxConfig) -> VendorState:
    """The vendor state of `seed`, `scale` and `reference_time`: edge cases first, then the bulk."""
    now = config.reference_time
    vendor_state = VendorState(seed=config.seed, scale=config.scale, now=to_text(now))
    factory = Factory(vendor_state, random.Random(f"{config.seed}/{config.scale}"), now)
    volumes = Volumes.at(config.scale)
    words = list(names.company_words(factory.rng, volumes.accounts + volumes.groups + 40))
    build_crm.add_lookups(factory)
    insiders = edge_case.add_cases(factory)
    spared = {*vendor_state.people, *vendor_state.courses, *vendor_state.course_properties}
    certifications = build_catalogue.add_catalogue(factory, volumes)
    kept, excluded = build_crm.add_accounts(factory, volumes, words)
    groups = build_lms.add_groups(factory, volumes, kept, words)
    inside, employers = build_lms.add_people(factory, volumes, groups, kept)
    build_crm.add_contacts(factory, volumes, employers, kept + excluded)
    build_crm.add_leads(factory, volumes, kept)
    build_lms.add_transcripts(factory, volumes, inside, certifications, spared)
    edge_case.add_groups_of_everybody(factory, insiders + inside)
    build_lms.add_webhooks(factory)
    _order_like_the_vendors(vendor_state)
    vendor_state.revisions.clear()
    return vendor_state


def _order_like_the_vendors(vendor_state: VendorState) -> None:
    """Northpass lists by creation, so that the edge cases lie scattered over the pages."""
    vendor_state.people = {
        row.id: row for row in sorted(vendor_state.people.values(), key=lambda row: (row.created_at, row.id))
    }
    vendor_state.groups = {
        row.id: row for row in sorted(vendor_state.groups.values(), key=lambda row: (row.created_at, row.id))
    }
    vendor_state.courses = {
        row.id: row for row in sorted(vendor_state.courses.values(), key=lambda row: (row.created_at, row.id))
    }
    for rows in vendor_state.transcripts.values():
        rows.sort(key=lambda row: (row.enrolled_at or "", row.id))
