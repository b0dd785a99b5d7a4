"""Groups, people, memberships, transcripts and webhook log of the LMS: the ordinary ones, up to the volumes."""

from __future__ import annotations

from lms_assets.sandbox.seeding.build_crm import domain_of
from lms_assets.sandbox.state import ids, names
from lms_assets.sandbox.state.factory import Factory
from lms_assets.sandbox.state.timestamps import shifted
from lms_assets.sandbox.state.vendor_state import Account, Group, Person, Transcript, Webhook
from lms_assets.sandbox.state.volumes import Volumes

WEBHOOK_TYPES = ("course_completed_events", "course_enrollment_events")
_ENDPOINTS = ("https://hooks.example.com/lms", "https://hooks.example.org/archive")
_WEBHOOK_DAYS = 90
_GROUPS_OF_EVERYBODY = 2


def add_groups(
    factory: Factory, volumes: Volumes, accounts: list[Account], words: list[str]
) -> list[tuple[Group, Account]]:
    """Partners' groups (a few partners have two), then groups of customers; returns the partners' ones."""
    rng = factory.rng
    linked = sum(1 for account_id in factory.vendor_state.intended_links.values() if account_id is not None)
    wanted = max(volumes.partner_groups // 2, volumes.partner_groups - linked)
    owners = rng.sample(accounts, min(len(accounts), wanted * 49 // 50 + 1))
    owners += [rng.choice(owners) for _ in range(wanted - len(owners))]
    groups = []
    for account in owners:
        name = names.group_name(rng, account.name or "")
        groups.append((factory.group(name, account, empty_is_404=rng.random() < 0.5), account))
    for _ in range(volumes.groups - len(factory.vendor_state.groups) - _GROUPS_OF_EVERYBODY):
        factory.group(f"{words.pop()} {rng.choice(('Customers', 'Cohort', 'Academy', 'Onboarding'))}")
    return groups


def add_people(
    factory: Factory, volumes: Volumes, groups: list[tuple[Group, Account]], accounts: list[Account]
) -> tuple[list[Person], list[tuple[Person, Account]]]:
    """People up to the volume: (those with partner access, (person, employer) of those who are CRM contacts)."""
    rng = factory.rng
    wanted = max(volumes.partner_people // 2, volumes.partner_people - len(factory.vendor_state.people))
    inside: list[Person] = []
    employers: list[tuple[Person, Account]] = []
    weights = [rng.paretovariate(1.3) for _ in groups]
    for number, place in enumerate(rng.choices(groups, weights, k=wanted * 85 // 100)):
        # The first people go to one group each: hardly any partner's group is empty.
        group, account = groups[number] if number < len(groups) * 98 // 100 else place
        person = _person(factory, number, domain_of(account))
        factory.join(group, person)
        inside.append(person)
        if rng.random() < 0.7:
            employers.append((person, rng.choice(accounts) if rng.random() < 0.02 else account))
    for number in range(len(inside), wanted):
        account = rng.choice(accounts)
        person = _person(factory, number, domain_of(account))
        inside.append(person)
        employers.append((person, account))
    customer_groups = [group for group in factory.vendor_state.groups.values() if _is_customers(factory, group)]
    for number in range(len(factory.vendor_state.people), volumes.people):
        person = _person(factory, number, f"customer-{number % 211}.example.net")
        if rng.random() < 0.6 and customer_groups:
            factory.join(rng.choice(customer_groups), person)
    return inside, employers


def _is_customers(factory: Factory, group: Group) -> bool:
    return factory.vendor_state.intended_links[group.id] is None and group.name.endswith(
        ("Customers", "Cohort", "Academy")
    )


def _person(factory: Factory, number: int, domain: str) -> Person:
    rng = factory.rng
    given, family, local = names.person_name(rng)
    draw = rng.getrandbits(32)
    created_days = 30 + draw % 1500
    active_days = draw % min(created_days, 700)
    person = factory.person(
        f"{local}.{number}@{domain}",
        given,
        family,
        id=ids.compound(rng) if draw % 40 == 0 else ids.uuid(rng),
        created_at=factory.ago(days=created_days, seconds=draw % 86_400),
        updated_at=factory.ago(days=active_days, seconds=draw % 3600),
        last_active_at=None if draw % 17 == 0 else factory.ago(days=active_days, seconds=draw % 3600),
        omits_empty=draw % 2 == 0,
    )
    if draw % 31 == 0:
        person.disabled = True
        person.deactivated_at = person.updated_at if draw % 62 == 0 else None
    return person


def add_transcripts(
    factory: Factory, volumes: Volumes, inside: list[Person], certifications: list[str], spared: set[str]
) -> None:
    """Transcripts up to the volume, seven in ten of people with partner access; none of `spared` people and courses."""
    rng = factory.rng
    everybody = [person for person in factory.vendor_state.people.values() if person.id not in spared]
    others = [course for course in factory.vendor_state.courses if course not in spared.union(certifications)]
    for _ in range(volumes.transcripts - sum(1 for _ in factory.vendor_state.every_transcript())):
        person = rng.choice(inside if rng.random() < 0.7 else everybody)
        course_id = rng.choice(certifications if rng.random() < 0.55 else others)
        _transcript(factory, person, course_id)


def _transcript(factory: Factory, person: Person, course_id: str) -> Transcript:
    rng = factory.rng
    draw = rng.getrandbits(40)
    days_ago = 1 + draw % 1300 + (draw % 86_400) / 86_400
    row_id = ids.compound(rng) if draw % 33 == 0 else ids.uuid(rng)
    if draw % 10 < 7:
        missing = {"expires_at": None} if draw % 5 == 0 else {}
        return factory.completion(person, course_id, days_ago=days_ago, id=row_id, score=draw % 101 / 1.0, **missing)
    progress = draw % 100 if draw % 10 < 9 else 0
    status = "in_progress" if progress else "enrolled"
    return factory.transcript(
        person, course_id, days_ago=days_ago, id=row_id, progress=progress, progress_status=status
    )


def add_webhooks(factory: Factory) -> None:
    """The log of the last three months; every third event went to two endpoints and stands there twice."""
    start = factory.ago(days=_WEBHOOK_DAYS)
    now = factory.ago()
    for row in factory.vendor_state.every_transcript():
        if row.completed_at and row.resource_type == "course" and start <= row.completed_at <= now:
            log_event(factory, WEBHOOK_TYPES[0], row, row.completed_at)
        elif row.progress_status == "enrolled" and row.enrolled_at and start <= row.enrolled_at <= now:
            log_event(factory, WEBHOOK_TYPES[1], row, row.enrolled_at)
    factory.vendor_state.webhooks.sort(key=lambda message: (message.created_at, message.id), reverse=True)


def log_event(factory: Factory, kind: str, row: Transcript, at: str) -> list[Webhook]:
    """Add the messages of one event, newest first as the log shows them; the second one goes out 2 s later."""
    event_id = ids.uuid(factory.rng)
    endpoints = _ENDPOINTS if factory.rng.random() < 1 / 3 else _ENDPOINTS[:1]
    messages = [
        Webhook(
            ids.uuid(factory.rng), event_id, kind, row.person_id, row.resource_id, shifted(at, seconds=2 * place), url
        )
        for place, url in enumerate(endpoints)
    ]
    factory.vendor_state.webhooks.extend(messages)
    return messages
