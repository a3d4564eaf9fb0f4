"""From the manifest's `module:Class` to the class, described."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from reactor_runtime.authoring import Description, ReactorCore, describe
from reactor_runtime.workspace import ReactorConfig, WorkspaceError


def understand(manifest: ReactorConfig) -> Description:
    """Import the author's class and describe it; its folder comes first on `sys.path`.

    Raises `WorkspaceError` in one line for a mistake of the manifest or of the class's definition. An error that the
    author's module raises for reasons of its own comes through as it is.
    """
    model_class = _import(manifest)
    try:
        return describe(model_class)
    except (TypeError, ValueError) as error:
        raise WorkspaceError(str(error)) from error


def _import(manifest: ReactorConfig) -> type[ReactorCore]:
    directory = str(manifest.path.parent.resolve())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    module_name, _, class_name = manifest.entry.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise WorkspaceError(
                f"{manifest.path}: module {module_name!r} of {manifest.entry!r} was not found in {manifest.path.parent}"
            ) from None
        raise WorkspaceError(
            f"{_place(error, directory)}: needs the package {error.name!r}, which is not installed"
        ) from error
    except SyntaxError as error:
        raise WorkspaceError(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except (TypeError, ValueError) as error:
        # The contract's mistakes are raised while the class is being defined, and say where by themselves.
        if _raised_by_us(error):
            raise WorkspaceError(str(error)) from error
        raise
    found = getattr(module, class_name, None)
    if found is None:
        names = [n for n, v in vars(module).items() if isinstance(v, type) and v.__module__ == module.__name__]
        raise WorkspaceError(
            f"{manifest.path}: {module_name} has no class {class_name!r}; it has {', '.join(names) or 'none'}"
        )
    if not isinstance(found, type) or not issubclass(found, ReactorCore):
        raise WorkspaceError(
            f"{manifest.path}: {manifest.entry} is not a model: subclass ReactorPipeline or ReactorModel"
        )
    return found


def _place(error: BaseException, directory: str) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(directory)]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else directory


def _raised_by_us(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parent.parent)
    return bool(frames) and frames[-1].filename.startswith(ours)
