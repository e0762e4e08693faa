"""Defects with a strength in physical units; strength 0 changes nothing."""
