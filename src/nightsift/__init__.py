"""nightsift: tells good from bad telescope frames, how sure it is, and why."""
