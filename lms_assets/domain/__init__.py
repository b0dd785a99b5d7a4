"""The rules: plain functions of plain values. No I/O, no clock, no Dagster."""
