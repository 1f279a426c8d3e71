"""Who runs a command."""

import getpass


def account_name() -> str:
    """Return the name of the account, as the operating system knows it, or `unknown`."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # No entry for the user's number, as in some containers.
        return "unknown"
