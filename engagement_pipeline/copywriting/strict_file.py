"""A YAML file that people write by hand, read into a model; one sentence names everything that is wrong with it."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.fast_yaml import read_yaml


class Strict(BaseModel):
    """A part of such a file: no field unknown, nothing quoted back in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Model = TypeVar("Model", bound=BaseModel)


def read_strict(path: Path, model: type[Model], error: type[BadInputError], what: str) -> Model:
    """Read and check a file.

    Args:
        path: the file.
        model: what it must be.
        error: the class of the error to raise.
        what: whose fields the file has, as in "the brand's fields".

    Raises:
        BadInputError: as `error`: the file cannot be read, is no YAML mapping, or breaks a rule; names every field at
            fault.
    """
    try:
        content: Any = read_yaml(path)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as fault:
        raise error(f"{path}: cannot be read as YAML: {fault}") from fault
    if not isinstance(content, dict):
        raise error(f"{path}: must be a YAML mapping of {what} fields")
    try:
        return model.model_validate(content)
    except ValidationError as fault:
        faults = "; ".join(_describe(detail["loc"], detail["msg"]) for detail in fault.errors())
        raise error(f"{path}: {faults}") from fault


def _describe(location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(str(part) for part in location)
    reason = message.removeprefix("Value error, ")
    return f"{field}: {reason}" if field else reason
