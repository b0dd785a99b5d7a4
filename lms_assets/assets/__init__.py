"""The graph at work: fetch, apply rules, write, report. No rules and no SQL."""
