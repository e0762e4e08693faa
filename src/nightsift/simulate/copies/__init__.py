"""Copies of a night in which much changes and nothing bad happens; each file adds kinds."""
