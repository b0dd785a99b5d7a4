"""Northpass."""
