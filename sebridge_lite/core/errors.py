"""One exception for everything that the user can mend."""


class UserError(Exception):
    """What is wrong, where, and how to mend it, in one line. The command line prints it and exits 1."""
