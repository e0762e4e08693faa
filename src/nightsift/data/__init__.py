"""Frames to tensors (made once, cached), windows, splits by night, the data module."""
