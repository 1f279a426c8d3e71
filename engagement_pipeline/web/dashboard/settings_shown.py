"""The settings as the System page shows them: no secret, no password in an address, nobody's e-mail address."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings

_ADDRESSES: Final = frozenset({"allow_list"})

Pairs = Sequence[tuple[str, str]]


def shown(settings: Settings) -> Sequence[tuple[str, Pairs]]:
    """Return the settings by group, each as words."""
    values = [(name, getattr(settings, name)) for name in type(settings).model_fields]
    general = [(name, value) for name, value in values if not isinstance(value, BaseModel)]
    groups = [(name, value) for name, value in values if isinstance(value, BaseModel)]
    return [
        ("General", _pairs(general)),
        *(
            (_title(name), _pairs([(each, getattr(group, each)) for each in type(group).model_fields]))
            for name, group in groups
        ),
    ]


def _pairs(values: Sequence[tuple[str, object]]) -> Pairs:
    return [(name, _words(name, value)) for name, value in values]


def _words(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return "set, not shown" if value.get_secret_value() else "not set"
    if name in _ADDRESSES and isinstance(value, tuple):
        return f"{len(value)} entries, not shown" if value else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "–"
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    if isinstance(value, Path) and value.is_relative_to(PROJECT_ROOT):
        return str(value.relative_to(PROJECT_ROOT))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _without_password(url: str) -> str:
    """Return an address as far as its host and path; what comes behind may hold a secret as well."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "set, not shown"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _title(name: str) -> str:
    return {"ses": "SES", "smtp": "SMTP"}.get(name, name.capitalize())
