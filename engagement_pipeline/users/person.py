"""How a person is recognised in texts that others wrote: refused records, imported files. Pure."""

import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

from engagement_pipeline.users.addresses import InvalidAddressError, address_key
from engagement_pipeline.users.searching import fold

_ADDRESS = re.compile(r"[^\s,;|\"'<>()\[\]{}:=\\]+@[^\s,;|\"'<>()\[\]{}:=\\]+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_BETWEEN_WORDS = r"[\W_]{1,8}"


@dataclass(frozen=True)
class Person:
    """What a text may call somebody by. The representation leaves out who it is.

    Attributes:
        user_id: the shop's id; only as a word of its own does it name anybody.
        email: the present address.
        name: as the shop has it; its words count in this order and backwards, whatever stands between them.
        address_keys: of the present address and of those written to before.
        secret: keys the hashes of addresses.
    """

    user_id: str = field(repr=False)
    email: str | None = field(repr=False, default=None)
    name: str | None = field(repr=False, default=None)
    address_keys: frozenset[str] = field(repr=False, default=frozenset())
    secret: str = field(repr=False, default="")

    def is_in(self, text: str) -> bool:
        """Tell whether a text speaks of the person. It may be a long one, of many records."""
        plain = _plain(text)
        return any(anchor in plain for anchor in self._anchors) and self._pattern.search(plain) is not None

    def is_meant_by(self, record: str) -> bool:
        """Tell whether one record speaks of the person, be it by another spelling of an address, or a former one."""
        return self.is_in(record) or any(self._is_own(found) for found in _ADDRESS.findall(record))

    def marks(self, *, with_name: bool) -> frozenset[bytes]:
        """Return what the person can be recognised by in the bytes of a database.

        Args:
            with_name: whether the name is nobody else's: another's must be found there.
        """
        texts = [self.email, self.email and _plain(self.email)]
        if with_name and self.name:
            texts += [self.name, fold(self.name)]
        written = [text for text in texts if text]
        written += [json.dumps(text)[1:-1] for text in written]
        return frozenset(text.encode() for text in written)

    def _is_own(self, address: str) -> bool:
        try:
            return address_key(address, self.secret) in self.address_keys
        except InvalidAddressError:
            return False

    @cached_property
    def _anchors(self) -> Collection[str]:
        """Look for few words first: a pattern takes a hundred times as long."""
        words = [self.user_id, self.email or "", *(self.name or "").split()[:1]]
        return [_plain(word) for word in words if word]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = [rf"(?<![\w-]){re.escape(_plain(self.user_id))}(?![\w-])"]
        if self.email:
            parts.append(re.escape(_plain(self.email)))
        words = [re.escape(word) for word in _plain(self.name or "").split()]
        for order in {tuple(words), tuple(reversed(words))} if words else ():
            parts.append(rf"(?<!\w){_BETWEEN_WORDS.join(order)}(?!\w)")
        return re.compile("|".join(parts))


def _plain(text: str) -> str:
    """Return a text without case, in one spelling of accents, without JSON's escapes."""
    if "\\u" in text:
        # Half of a pair stands for nothing by itself.
        units = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
        text = units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unicodedata.normalize("NFC", text.casefold())
