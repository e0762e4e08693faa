"""nightsift: tells good from bad telescope frames, how sure it is, and why."""

from nightsift.api import judge

__all__ = ["judge"]
