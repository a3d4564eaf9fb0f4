"""From a workspace to the author's class, described."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from reactor_runtime.authoring import Description, ReactorCore, describe
from reactor_runtime.authoring.video_model import (
    MODEL_REGISTRY,
    DuplicateModel,
    VideoModel,
    describe_video_model,
    forget_failed_modules,
    get_registered_model,
)
from reactor_runtime.workspace import (
    Broken,
    ReactorConfig,
    WorkspaceError,
    first_line,
    import_files,
    model_files,
    module_of,
)

log = logging.getLogger("reactor.model")


def found(manifest: ReactorConfig) -> ReactorConfig:
    """The manifest with nothing left open; the author's code is imported for it.

    What `@model` says stands where the manifest says nothing: the class and the name in a folder without
    `reactor.yaml`, and the config file. Raises as `understand` does.
    """
    directory = manifest.path.parent
    if manifest.entry:
        cls = _import(manifest)
        entry = next((e for e in MODEL_REGISTRY.values() if e["class"] is cls), None)
        config = manifest.config or (_config(directory, entry) if entry is not None else None)
        return dataclasses.replace(manifest, config=config)
    entry = _discovered(directory)
    cls = entry["class"]
    return dataclasses.replace(
        manifest,
        entry=f"{cls.__module__}:{cls.__qualname__}",
        name=manifest.name or entry["name"],
        config=manifest.config or _config(directory, entry),
    )


def understand(manifest: ReactorConfig) -> Description:
    """Import the author's class and describe it; its folder comes first on `sys.path`.

    Raises `WorkspaceError` in one line for a mistake of the manifest or of the class's definition. An error that the
    author's module raises for reasons of its own comes through as it is.
    """
    model_class = _import(manifest if manifest.entry else found(manifest))
    try:
        description = describe_any(model_class)
        description.check_calls()
    except (TypeError, ValueError) as error:
        raise WorkspaceError(str(error)) from error
    return description


def describe_any(model_class: type[Any]) -> Description:
    """The description of a model class of any style. Raises `TypeError` or `ValueError` for a mistake in the class."""
    if isinstance(model_class, type) and issubclass(model_class, VideoModel):
        return describe_video_model(model_class)
    return describe(model_class)


def _discovered(directory: Path) -> dict[str, Any]:
    """What `@model` says of the one class that the files of a folder decorate. A file that cannot be imported is told
    in the log, and hides nothing.
    """
    broken = import_files(directory)
    for one in broken:
        if isinstance(one.error, DuplicateModel):
            raise WorkspaceError(str(one.error)) from one.error
    forget_failed_modules()
    reasons: dict[str, Broken] = {}
    for one in broken:
        reasons.setdefault(_story(one.error, directory), one)
    if not MODEL_REGISTRY and len(reasons) == 1 and None in map(module_of, model_files(directory)):
        # It has kept a model from being imported.
        [(reason, one)] = reasons.items()
        log.debug("%s cannot be imported", one.file.name, exc_info=one.error)
        raise WorkspaceError(_in_one_line(one.error, directory) or reason) from one.error
    try:
        entry = get_registered_model()
    except RuntimeError as error:
        listed = ", ".join(f"{one.file.name} ({reason})" for reason, one in reasons.items())
        files = f"; {listed} could not be imported" if broken else ""
        raise WorkspaceError(
            f"{directory} has no reactor.yaml, and its Python files do not say which class to run: {error}{files}"
        ) from error
    for reason, one in reasons.items():
        log.warning("%s cannot be imported: %s", one.file.name, reason)
    return entry


def _story(error: BaseException, directory: Path) -> str:
    if _raised_by_us(error):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{error.msg} ({Path(error.filename or '').name}:{error.lineno})"
    return f"{type(error).__name__}: {first_line(error)} ({_place(error, directory)})"


def _config(directory: Path, entry: dict[str, Any]) -> Path | None:
    """The file that `@model` names, relative to the model's folder. Raises `WorkspaceError` if it does not exist."""
    named = entry["config"]
    if not named:
        return None
    path = directory / Path(named).expanduser()
    if not path.is_file():
        raise WorkspaceError(
            f"@model of {entry['class'].__name__} names the config {named}, which does not exist in {directory}"
        )
    return path


def _import(manifest: ReactorConfig) -> type[Any]:
    directory = manifest.path.parent.resolve()
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    module_name, _, class_name = manifest.entry.partition(":")
    module = _module(manifest, module_name, directory)
    cls: Any = module
    for part in class_name.split("."):
        cls = getattr(cls, part, None)
    if cls is None:
        names = [n for n, v in vars(module).items() if isinstance(v, type) and v.__module__ == module.__name__]
        raise WorkspaceError(
            f"{manifest.path}: {module_name} has no class {class_name!r}; it has {', '.join(names) or 'none'}"
            f"{_meant(class_name, names)}"
        )
    if not isinstance(cls, type) or not issubclass(cls, ReactorCore | VideoModel):
        raise WorkspaceError(
            f"{manifest.path}: {manifest.entry} is not a model: subclass ReactorApp, ReactorPipeline, ReactorModel or "
            "VideoModel"
        )
    return cls


def _module(manifest: ReactorConfig, module_name: str, directory: Path) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and (module_name == missing or module_name.startswith(missing + ".")):
            there = [file.stem for file in manifest.path.parent.glob("*.py")]
            raise WorkspaceError(
                f"{manifest.path}: module {module_name!r} of {manifest.entry!r} was not found in {manifest.path.parent}"
                f"{_meant(module_name, there)}"
            ) from None
        told = _in_one_line(error, directory)
        if told is None:
            raise
        raise WorkspaceError(told) from error


def _in_one_line(error: BaseException, directory: Path) -> str | None:
    """What an import has raised, where a line says it all; None for what the author's code raises by itself."""
    if _raised_by_us(error):
        return str(error)  # The contract's mistakes say where by themselves.
    match error:
        case ModuleNotFoundError():
            return f"{_place(error, directory)}: needs the package {error.name!r}, which is not installed"
        case SyntaxError():
            return f"{error.filename}:{error.lineno}: {error.msg}"
        case SystemExit():
            return f"{_place(error, directory)}: it ends the process while it is imported (SystemExit: {error})"
        case _:
            return None


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1) or [one for one in known if one.lower() == name.lower()]
    return f"; did you mean {close[0]!r}?" if close else ""


def _place(error: BaseException, directory: Path) -> str:
    folder = str(directory)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(folder)]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else folder


def _raised_by_us(error: BaseException) -> bool:
    """Whether it is a mistake of the contract's, which a class's definition or a decorator tells."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parent.parent)
    return isinstance(error, TypeError | ValueError) and bool(frames) and frames[-1].filename.startswith(ours)
