"""Figures in; HTML, text and pictures out. Nothing is counted here."""
