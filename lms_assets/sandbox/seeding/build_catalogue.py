"""Courses and their properties: the ordinary ones. The edge-case ones are in `edge_case_courses`."""

from __future__ import annotations

from collections.abc import Iterator

from lms_assets.sandbox.state.factory import Factory
from lms_assets.sandbox.state.volumes import Volumes

# Topics whose names contain a default category pattern (domain rules, NPCU and certifications).
_CERTIFICATION_TOPICS = (
    "K2 Five",
    "K2 Cloud",
    "Workflow for Salesforce",
    "Document Generation for Salesforce",
    "Go to Market",
    "GTM",
    "Sales Professional",
    "Sales Enablement",
    "Automation Cloud",
    "Process Manager",
    "Promapp",
    "RPA",
    "eSign",
    "Apps",
    "Office 365",
    "SharePoint",
    "Xtensions",
    "Process Discovery",
)
_LEVELS = ("Foundations", "Practitioner", "Expert", "Architect", "Developer", "Consultant", "Specialist")
_PLAIN_TOPICS = ("Forms", "Connectors", "Release notes", "Onboarding", "Analytics", "Security", "Governance")
_NPCU_OF_CERTIFICATION = (1, 1, 2, 2, "1", "2")
_NPCU_OF_OTHERS = (0, 0, "0", "", None, ...)


def add_catalogue(factory: Factory, volumes: Volumes) -> list[str]:
    """Fill up to the volumes; returns the ids of all ordinary certifications, listed and archived."""
    rng = factory.rng
    certifications = []
    names = _certification_names()
    while len(factory.vendor_state.courses) < volumes.courses:
        if rng.random() < 0.45:
            certifications.append(factory.course(next(names), rng.choice(_NPCU_OF_CERTIFICATION)))
        else:
            number = len(factory.vendor_state.courses)
            status = rng.choices(("live", "draft", "archived"), (80, 12, 8))[0]
            name = f"{rng.choice(_PLAIN_TOPICS)}, lesson {number}"
            factory.course(name, rng.choice(_NPCU_OF_OTHERS), status=status, forbidden=rng.random() < 0.02)
    while len(factory.vendor_state.course_properties) < volumes.course_properties:
        year = rng.randint(2018, 2023)
        name = f"{rng.choice(_CERTIFICATION_TOPICS)} {rng.choice(_LEVELS)} ({year})"
        certifications.append(factory.course(name, rng.choice(_NPCU_OF_CERTIFICATION), listed=False))
    return certifications


def _certification_names() -> Iterator[str]:
    edition = 1
    while True:
        for level in _LEVELS:
            for topic in _CERTIFICATION_TOPICS:
                yield f"{topic} {level}" + (f" {edition}" if edition > 1 else "")
        edition += 1
