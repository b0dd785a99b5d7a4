"""Groups, people, memberships, transcripts and webhook log of the LMS: the ordinary ones, up to the volumes."""

from __future__ import annotations

from lms_assets.sandbox.state import ids, names
from lms_assets.sandbox.state.build_crm import domain_of
from lms_assets.sandbox.state.factory import Maker
from lms_assets.sandbox.state.timestamps import shifted
from lms_assets.sandbox.state.volumes import Volumes
from lms_assets.sandbox.state.world import Account, Group, Person, Transcript, Webhook

WEBHOOK_TYPES = ("course_completed_events", "course_enrollment_events")
_ENDPOINTS = ("https://hooks.example.com/lms", "https://hooks.example.org/archive")
_WEBHOOK_DAYS = 90
_GROUPS_OF_EVERYBODY = 2


def add_groups(
    maker: Maker, volumes: Volumes, accounts: list[Account], words: list[str]
) -> list[tuple[Group, Account]]:
    """Partners' groups (a few partners have two), then groups of customers; returns the partners' ones."""
    rng = maker.rng
    linked = sum(1 for account_id in maker.world.intended_links.values() if account_id is not None)
    wanted = max(volumes.partner_groups // 2, volumes.partner_groups - linked)
    owners = rng.sample(accounts, min(len(accounts), wanted * 49 // 50 + 1))
    owners += [rng.choice(owners) for _ in range(wanted - len(owners))]
    groups = []
    for account in owners:
        name = names.group_name(rng, account.name or "")
        groups.append((maker.group(name, account, empty_is_404=rng.random() < 0.5), account))
    for _ in range(volumes.groups - len(maker.world.groups) - _GROUPS_OF_EVERYBODY):
        maker.group(f"{words.pop()} {rng.choice(('Customers', 'Cohort', 'Academy', 'Onboarding'))}")
    return groups


def add_people(
    maker: Maker, volumes: Volumes, groups: list[tuple[Group, Account]], accounts: list[Account]
) -> tuple[list[Person], list[tuple[Person, Account]]]:
    """People up to the volume: (those with partner access, (person, employer) of those who are CRM contacts)."""
    rng = maker.rng
    wanted = max(volumes.partner_people // 2, volumes.partner_people - len(maker.world.people))
    inside: list[Person] = []
    employers: list[tuple[Person, Account]] = []
    weights = [rng.paretovariate(1.3) for _ in groups]
    for number, place in enumerate(rng.choices(groups, weights, k=wanted * 85 // 100)):
        # The first people go to one group each: hardly any partner's group is empty.
        group, account = groups[number] if number < len(groups) * 98 // 100 else place
        person = _person(maker, number, domain_of(account))
        maker.join(group, person)
        inside.append(person)
        if rng.random() < 0.7:
            employers.append((person, rng.choice(accounts) if rng.random() < 0.02 else account))
    for number in range(len(inside), wanted):
        account = rng.choice(accounts)
        person = _person(maker, number, domain_of(account))
        inside.append(person)
        employers.append((person, account))
    customer_groups = [group for group in maker.world.groups.values() if _is_customers(maker, group)]
    for number in range(len(maker.world.people), volumes.people):
        person = _person(maker, number, f"customer-{number % 211}.example.net")
        if rng.random() < 0.6 and customer_groups:
            maker.join(rng.choice(customer_groups), person)
    return inside, employers


def _is_customers(maker: Maker, group: Group) -> bool:
    return maker.world.intended_links[group.id] is None and group.name.endswith(("Customers", "Cohort", "Academy"))


def _person(maker: Maker, number: int, domain: str) -> Person:
    rng = maker.rng
    given, family, local = names.person_name(rng)
    draw = rng.getrandbits(32)
    created_days = 30 + draw % 1500
    active_days = draw % min(created_days, 700)
    person = maker.person(
        f"{local}.{number}@{domain}",
        given,
        family,
        id=ids.compound(rng) if draw % 40 == 0 else ids.uuid(rng),
        created_at=maker.ago(days=created_days, seconds=draw % 86_400),
        updated_at=maker.ago(days=active_days, seconds=draw % 3600),
        last_active_at=None if draw % 17 == 0 else maker.ago(days=active_days, seconds=draw % 3600),
        omits_empty=draw % 2 == 0,
    )
    if draw % 31 == 0:
        person.disabled = True
        person.deactivated_at = person.updated_at if draw % 62 == 0 else None
    return person


def add_transcripts(
    maker: Maker, volumes: Volumes, inside: list[Person], certifications: list[str], spared: set[str]
) -> None:
    """Transcripts up to the volume, seven in ten of people with partner access; none of `spared` people and courses."""
    rng = maker.rng
    everybody = [person for person in maker.world.people.values() if person.id not in spared]
    others = [course for course in maker.world.courses if course not in spared.union(certifications)]
    for _ in range(volumes.transcripts - sum(1 for _ in maker.world.every_transcript())):
        person = rng.choice(inside if rng.random() < 0.7 else everybody)
        course_id = rng.choice(certifications if rng.random() < 0.55 else others)
        _transcript(maker, person, course_id)


def _transcript(maker: Maker, person: Person, course_id: str) -> Transcript:
    rng = maker.rng
    draw = rng.getrandbits(40)
    days_ago = 1 + draw % 1300 + (draw % 86_400) / 86_400
    row_id = ids.compound(rng) if draw % 33 == 0 else ids.uuid(rng)
    if draw % 10 < 7:
        missing = {"expires_at": None} if draw % 5 == 0 else {}
        return maker.completion(person, course_id, days_ago=days_ago, id=row_id, score=draw % 101 / 1.0, **missing)
    progress = draw % 100 if draw % 10 < 9 else 0
    status = "in_progress" if progress else "enrolled"
    return maker.transcript(person, course_id, days_ago=days_ago, id=row_id, progress=progress, progress_status=status)


def add_webhooks(maker: Maker) -> None:
    """The log of the last three months; every third event went to two endpoints and stands there twice."""
    start = maker.ago(days=_WEBHOOK_DAYS)
    now = maker.ago()
    for row in maker.world.every_transcript():
        if row.completed_at and row.resource_type == "course" and start <= row.completed_at <= now:
            log_event(maker, WEBHOOK_TYPES[0], row, row.completed_at)
        elif row.progress_status == "enrolled" and row.enrolled_at and start <= row.enrolled_at <= now:
            log_event(maker, WEBHOOK_TYPES[1], row, row.enrolled_at)
    maker.world.webhooks.sort(key=lambda message: (message.created_at, message.id), reverse=True)


def log_event(maker: Maker, kind: str, row: Transcript, at: str) -> list[Webhook]:
    """Add the messages of one event, newest first as the log shows them; the second one goes out 2 s later."""
    event_id = ids.uuid(maker.rng)
    endpoints = _ENDPOINTS if maker.rng.random() < 1 / 3 else _ENDPOINTS[:1]
    messages = [
        Webhook(
            ids.uuid(maker.rng), event_id, kind, row.person_id, row.resource_id, shifted(at, seconds=2 * place), url
        )
        for place, url in enumerate(endpoints)
    ]
    maker.world.webhooks.extend(messages)
    return messages
