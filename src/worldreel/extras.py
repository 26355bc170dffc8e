"""Optional packages: which extra brings them, and the command that installs it."""

import importlib.metadata
import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from worldreel.errors import MissingExtraError

EXTRA_OF = {
    "mujoco": "world",
    "c2pa": "c2pa",
    "cryptography": "c2pa",
    "transformers": "wan",
    "huggingface_hub": "wan",
    "diffusers": "dev",
}
SOURCES = Path(__file__).parents[2]  # the clone, when this file is in one


def missing(package: str) -> MissingExtraError:
    """The error that says how to get a package."""
    extra = EXTRA_OF[package]
    return MissingExtraError(
        f"this needs {package}, which worldreel's extra {extra!r} brings: {command(extra)}"
    )


def command(extra: str) -> str:
    """What to type to get an extra from where worldreel itself came from."""
    if (SOURCES / "pyproject.toml").is_file():
        return f"pip install -e {shlex.quote(f'{SOURCES}[{extra}]')}"
    told = _origin()
    url, vcs = str(told.get("url", "")), (told.get("vcs_info") or {}).get("vcs")
    folder = Path(unquote(urlsplit(url).path))
    if vcs:
        wanted = f"worldreel[{extra}] @ {vcs}+{url}"
    elif url.startswith("file:") and (folder / "pyproject.toml").is_file():
        wanted = f"{folder}[{extra}]"
    else:
        wanted = f"worldreel[{extra}]"
    return f"pip install {shlex.quote(wanted)}"


def _origin() -> dict[str, Any]:
    """Where pip says that it got worldreel (PEP 610); {} when that was an index."""
    try:
        told = importlib.metadata.distribution("worldreel").read_text("direct_url.json")
        return json.loads(told or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return {}
