"""Releases of the published clients, each in an environment of its own below `.venv/clients`, made once and kept."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".venv" / "clients"
INSTALL_WITHIN_S = 400
WITH_INSTALL_S = 900
"""For a test that may have to install its client first, and start the service."""
NUMPY = "numpy>=2.1,<3"
BUNDLER = {"esbuild": "0.25.12", "react": "19.2.0", "zustand": "5.0.8"}
"""What makes one file of a JavaScript client: the bundler, and the client's peers."""
JS_RELEASES = ("2.9.0", "2.2.1")


def python_with(release: str) -> Path:
    """The interpreter that has that `reactor-sdk`."""
    if installed_version("reactor-sdk") == release:
        return Path(sys.executable)
    folder = CACHE / f"python-{release}"
    interpreter, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, f"reactor-sdk=={release}", NUMPY])
        done.touch()
    return interpreter


def js_bundle(release: str) -> Path:
    """That `@reactor-team/js-sdk` as one ECMAScript module."""
    folder = CACHE / "js"
    bundle = folder / f"sdk-{release}.js"
    if not bundle.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.fail("the JavaScript clients come by npm, which is not here: scripts/ensure-npm installs it")
        folder.mkdir(parents=True, exist_ok=True)
        clients = {f"sdk-{each}": f"npm:@reactor-team/js-sdk@{each}" for each in JS_RELEASES}
        manifest = {"private": True, "dependencies": {**BUNDLER, **clients}}
        (folder / "package.json").write_text(json.dumps(manifest))
        _run([npm, "install", "--silent", "--no-audit", "--no-fund"], folder)
        entry = folder / "entry.js"
        entry.write_text(f'export {{ Reactor }} from "sdk-{release}";\n')
        options = ["--bundle", "--format=esm", "--platform=browser", '--define:process.env.NODE_ENV="production"']
        made = folder / "made.js"
        _run([str(folder / "node_modules" / ".bin" / "esbuild"), str(entry), *options, f"--outfile={made}"], folder)
        made.rename(bundle)
    return bundle


def _run(command: list[str], folder: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_WITHIN_S
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
