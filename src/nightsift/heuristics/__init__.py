"""Measure a frame, compare it with its own night, score it and name the reason."""
