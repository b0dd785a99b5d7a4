"""Offboarding."""
