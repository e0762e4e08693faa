"""Figures, tables and lists for people."""
