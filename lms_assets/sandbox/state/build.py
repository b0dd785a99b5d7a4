"""Builds the world: the same one for the same seed, scale and reference time. Scale 1.0 takes seconds."""

from __future__ import annotations

import random

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.edge_cases import collection as awkward
from lms_assets.sandbox.state import build_catalogue, build_crm, build_lms, names
from lms_assets.sandbox.state.factory import Maker
from lms_assets.sandbox.state.timestamps import to_text
from lms_assets.sandbox.state.volumes import Volumes
from lms_assets.sandbox.state.world import World


def build_world(config: SandboxConfig) -> World:
    """The world of `config.seed`, `config.scale` and `config.reference_time`: awkward cases first, then the bulk."""
    now = config.reference_time
    world = World(seed=config.seed, scale=config.scale, now=to_text(now))
    maker = Maker(world, random.Random(f"{config.seed}/{config.scale}"), now)
    volumes = Volumes.at(config.scale)
    words = list(names.company_words(maker.rng, volumes.accounts + volumes.groups + 40))
    build_crm.add_lookups(maker)
    insiders = awkward.add_cases(maker)
    spared = {*world.people, *world.courses, *world.course_properties}
    certifications = build_catalogue.add_catalogue(maker, volumes)
    kept, excluded = build_crm.add_accounts(maker, volumes, words)
    groups = build_lms.add_groups(maker, volumes, kept, words)
    inside, employers = build_lms.add_people(maker, volumes, groups, kept)
    build_crm.add_contacts(maker, volumes, employers, kept + excluded)
    build_crm.add_leads(maker, volumes, kept)
    build_lms.add_transcripts(maker, volumes, inside, certifications, spared)
    awkward.add_groups_of_everybody(maker, insiders + inside)
    build_lms.add_webhooks(maker)
    _order_like_the_vendors(world)
    world.revisions.clear()
    return world


def _order_like_the_vendors(world: World) -> None:
    """Northpass lists by creation, so that the awkward cases lie scattered over the pages."""
    world.people = {row.id: row for row in sorted(world.people.values(), key=lambda row: (row.created_at, row.id))}
    world.groups = {row.id: row for row in sorted(world.groups.values(), key=lambda row: (row.created_at, row.id))}
    world.courses = {row.id: row for row in sorted(world.courses.values(), key=lambda row: (row.created_at, row.id))}
    for rows in world.transcripts.values():
        rows.sort(key=lambda row: (row.enrolled_at or "", row.id))
