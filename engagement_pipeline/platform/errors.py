"""The one base of all errors that a person can mend: the command line shows their sentence and exits with 2."""


class BadInputError(ValueError):
    """Something that was handed in cannot be used; the message names it, the field and the reason."""
