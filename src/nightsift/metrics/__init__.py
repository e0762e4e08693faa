"""Threshold, scores, calibration and intervals: pure functions on arrays."""
