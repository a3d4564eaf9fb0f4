"""The model's config file, and what overrides it."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reactor_runtime.workspace.yaml_file import WorkspaceError, first_line, kind_of, problem_of

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

log = logging.getLogger("reactor.model")

ALIKE = 0.75
"""How alike two keys must be for one to be a misspelling of the other."""
MISSING = "???"
"""The value in a config file that stands for one that must be given."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a config file. `key` is its path with dots; `type` a word such as `int`, or `required`."""

    key: str
    type: str
    value: Any


def parse_value(text: str) -> Any:
    """A value from a command line, by the rules of the config file: `4`, `1e-3`, `true`, `null`, `[1, 2]`, `'5'`.

    Nothing at all is None. Raises `ValueError` in one line for what is no YAML, or nothing that JSON can hold.
    """
    import json

    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        made: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)
        value = made["value"]
        json.dumps(value)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(
            f"{text!r} is not a YAML value: {getattr(error, 'problem', None) or first_line(error)}"
        ) from None
    except TypeError:
        raise ValueError(f"{text!r} is a value that JSON cannot hold") from None
    return value


def read_config(
    path: Path | None, overrides: Mapping[str, Any] | None = None, *, complete: bool = True
) -> dict[str, Any]:
    """The config file as a plain dict with `${interpolation}` resolved; `{}` without a file. See `lazy_config`.

    Raises `WorkspaceError` also for a value that must be given and is not, `???`, unless the config need not be
    `complete`: then nothing is resolved in one that is not.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    loaded = lazy_config(path, overrides)
    missing = list(_missing(OmegaConf.to_container(loaded, resolve=False)))
    if missing and complete:
        given = " ".join(f"--model.{key}=VALUE" for key in missing)
        raise WorkspaceError(f"{_named(path)}: {', '.join(missing)} must be given: {given}")
    try:
        config = OmegaConf.to_container(loaded, resolve=not missing)
    except OmegaConfBaseException as error:
        raise _unresolved(path, error) from error
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def lazy_config(path: Path | None, overrides: Mapping[str, Any] | None = None) -> DictConfig:
    """The config file as OmegaConf has it: an `${interpolation}` is resolved when it is read. Empty without a file.

    `overrides` maps dotted keys to values, which are merged over the file: mappings key by key, all else replaces. A
    key that the file lacks is added, with a warning in the log when it looks like one that it has. Raises
    `WorkspaceError`.
    """
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    named = _named(path)
    try:
        loaded: Any = OmegaConf.create() if path is None else OmegaConf.load(path)
        if not isinstance(loaded, DictConfig):
            raise WorkspaceError(f"{named}: expected keys and values, got {kind_of(OmegaConf.to_container(loaded))}")
        for key, value in (overrides or {}).items():
            _check_override(named, OmegaConf.to_container(loaded, resolve=False), key)
            OmegaConf.update(loaded, key, value, merge=True)
    except OmegaConfBaseException as error:
        raise _unresolved(path, error) from error
    except WorkspaceError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{named} cannot be read: {error}") from error
    except Exception as error:
        raise WorkspaceError(f"{named} is not valid YAML: {problem_of(error)}") from error
    return loaded


def _named(path: Path | None) -> str:
    return "the config" if path is None else str(path)


def _unresolved(path: Path | None, error: OmegaConfBaseException) -> WorkspaceError:
    key = f": `{error.full_key}`" if error.full_key else ""
    return WorkspaceError(f"{_named(path)}{key}: {first_line(error)}")


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[Leaf]:
    """The values of a config, in order; a list is one value, and so is an empty block."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            kind = "null" if value is None else "required" if value == MISSING else type(value).__name__
            yield Leaf(f"{prefix}{key}", kind, value)


def _missing(value: Any, key: str = "") -> Iterator[str]:
    """The dotted keys of all in `value` that must be given, those of items of lists too."""
    if value == MISSING:
        yield key
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, item in items:
        yield from _missing(item, f"{key}.{part}" if key else str(part))


def _check_override(named: str, config: Any, key: str) -> None:
    """Raises `WorkspaceError` for a key inside something that has no keys; warns of a likely misspelling."""
    at, way = config, ""
    for part in key.split("."):
        if isinstance(at, Mapping):
            keys = {str(known): known for known in at}
            if part not in keys:
                close = difflib.get_close_matches(part, keys, 1, ALIKE)
                if close:
                    log.warning("%s has no key `%s%s`; did you mean `%s%s`?", named, way, part, way, close[0])
                return
            at = at[keys[part]]
        elif isinstance(at, list):
            if not (part.isdecimal() and int(part) < len(at)):
                raise WorkspaceError(
                    f"{named}: `{way[:-1]}` is a list of {len(at)}, so `{key}` names nothing in it; give the whole list"
                )
            at = at[int(part)]
        elif at is None or (isinstance(at, str) and "${" in at):
            return
        else:
            raise WorkspaceError(f"{named}: `{way[:-1]}` is {at!r} and has no key `{part}`, which `{key}` would set")
        way += f"{part}."
