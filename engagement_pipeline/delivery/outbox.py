"""The mailer that needs no account: one .eml file per message in a folder, to be opened with any mail program."""

import os
from pathlib import Path

from engagement_pipeline.delivery.mailer import Allowance, PausedError, Receipt
from engagement_pipeline.delivery.message import Message


class OutboxMailer:
    """Writes `<email_id>.eml` whole or not at all, so that the folder itself tells what was delivered."""

    name = "outbox"
    delivers = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def allowance(self) -> Allowance:
        return Allowance()

    def send(self, message: Message) -> Receipt:
        content = message.content
        try:
            self._write(message.email_id, content)
        except OSError as error:
            raise PausedError(f"the outbox folder cannot be written: {error.strerror}") from error
        return Receipt(message.message_id)

    def was_accepted(self, email_id: str) -> bool:
        return self._path(email_id).exists()

    def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, email_id: str, content: bytes) -> None:
        # The file becomes visible only when its bytes are on disk; the name is our own, so a leftover of a sender that
        # was killed is simply overwritten by the next attempt.
        unfinished = self._folder / f".{email_id}.tmp"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.replace(self._path(email_id))

    def _path(self, email_id: str) -> Path:
        return self._folder / f"{email_id}.eml"
