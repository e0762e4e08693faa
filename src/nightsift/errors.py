"""The one exception that means "the user can mend this"."""


class NightsiftError(ValueError):
    """A user's error: what was expected, what was found, what to change, in one line.

    Tasks print the message on standard error and end with exit status 2; any other
    exception is a bug and ends with a traceback and exit status 1.
    """
