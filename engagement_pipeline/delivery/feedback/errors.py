"""Why something that claims to be an event is not taken: field and reason, without repeating what it says."""

from engagement_pipeline.platform.errors import BadInputError


class BadEventError(BadInputError):
    """The text is no event that we can read."""

    code = "bad_event"

    def __init__(self, field: str | None, reason: str) -> None:
        self.field = field
        super().__init__(reason if field is None else f"{field} {reason}")


class ForgedError(BadInputError):
    """Nobody knows who sent this, or it is from somebody whom we have not asked."""

    code = "forged"
    field = None
