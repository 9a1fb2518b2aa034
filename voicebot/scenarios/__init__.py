"""Scenarios: scripted callers, what the bot must answer them, and the record and report of a run."""
