"""Models on this machine: those that are packaged, and those that were fetched from a hub.

A fetched model is a folder in the cache, with a list of its files, their sizes and their hashes
beside them (`worldreel.json`), which is written last: a folder without one is no model, and is
fetched on from where it was left. The hub's client is an optional package, imported where it is
used; nothing here touches the network but `fetch`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldreel.errors import CheckpointError, RequestError
from worldreel.extras import missing
from worldreel.output import whole_file
from worldreel.progress import Progress, silent

PLACE = "WORLDREEL_MODELS"  # the environment variable that names another folder
PACKAGED = Path(__file__).parent / "weights"
_LIST = "worldreel.json"
_PART = ".part"  # behind a folder's name, until it is whole
_ID = re.compile(r"[\w.-]+/[\w.-]+")
_ASIDE = ["assets/*", "examples/*", "*.png", "*.jpg", "*.mp4", "*.gif"]  # of a hub's page
_CHUNK = 2**22


@dataclass(frozen=True, kw_only=True)
class Held:
    """A model that is here. name: what `--model` takes."""

    name: str
    path: Path
    nbytes: int
    licence: str
    packaged: bool
    revision: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "path": str(self.path)}


def folder() -> Path:
    """Where fetched models lie."""
    if given := os.environ.get(PLACE):
        return Path(given)
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "worldreel" / "models"


def ours(model: str | Path) -> Path | None:
    """The folder of a model in our layout, a packaged one before one of the same name here."""
    places = (PACKAGED / str(model), Path(model)) if str(model) else ()
    return next((place for place in places if (place / "model.json").is_file()), None)


def part(folder: Path, name: str) -> Path:
    """Where a part of a model in our layout lies: in its folder, or, where that has none, in that
    of the packaged model whose parts it shares (`shares` in its model.json)."""
    own = folder / name
    if not own.exists():
        try:
            about = json.loads((folder / "model.json").read_text("utf-8"))
            return PACKAGED / Path(about["shares"]).name / name if about["shares"] else own
        except (OSError, ValueError, KeyError, TypeError):
            pass  # whoever reads the part says what is wrong
    return own


def held() -> list[Held]:
    """All that is here, the packaged ones first."""
    found = [
        Held(
            name=file.parent.name,
            path=file.parent,
            nbytes=sum(f.stat().st_size for f in file.parent.rglob("*") if f.is_file()),
            licence="Apache-2.0",
            packaged=True,
        )
        for file in sorted(PACKAGED.glob("*/model.json"))
    ]
    for file in sorted(folder().glob(f"*/{_LIST}")):
        about = _about(file)
        found.append(
            Held(
                name=about["id"],
                path=file.parent,
                nbytes=sum(one["bytes"] for one in about["files"].values()),
                licence=about["licence"],
                packaged=False,
                revision=about["revision"],
            )
        )
    return found


def place_of(name: str) -> Path | None:
    """The folder of a fetched model by its hub id; None where it is not here."""
    if not _ID.fullmatch(name):
        return None
    path = _path(name)
    return path if (path / _LIST).is_file() else None


def fetch(name: str, *, revision: str | None = None, told: Progress = silent) -> Held:
    """Fetch a model from the hub, whole and as its makers published it, or go on fetching it.

    Every file is held to the hash that the hub has of it before the model counts.
    """
    if not _ID.fullmatch(name):
        raise RequestError(f"a model on the hub is OWNER/NAME, not {name!r}")
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ModuleNotFoundError:
        raise missing("huggingface_hub") from None
    try:
        about = HfApi().model_info(name, revision=revision, files_metadata=True)
        part = _path(name).with_name(_path(name).name + _PART)
        snapshot_download(
            name, revision=about.sha, local_dir=part, ignore_patterns=_ASIDE, max_workers=4
        )
    except Exception as error:  # the client's own, of many kinds
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{name} could not be fetched ({line}): try again") from None
    shutil.rmtree(part / ".cache", ignore_errors=True)
    hashes = {s.rfilename: s.lfs.sha256 for s in about.siblings or () if s.lfs is not None}
    card = about.card_data.to_dict() if about.card_data is not None else {}
    return _shelve(name, part, str(about.sha), str(card.get("license", "not said")), hashes, told)


def _shelve(
    name: str,
    part: Path,
    revision: str,
    licence: str,
    hashes: dict[str, str],
    told: Progress = silent,
) -> Held:
    """Put a folder that was fetched in its place, once each file has the hash that it must have."""
    files = sorted(file for file in part.rglob("*") if file.is_file() and file.name != _LIST)
    listed: dict[str, dict[str, Any]] = {}
    for n, file in enumerate(files):
        told("check", n, len(files))
        key, found = file.relative_to(part).as_posix(), _sha256(file)
        if hashes.get(key, found) != found:
            file.unlink()
            raise CheckpointError(
                f"{key} of {name} is not what the hub has, and was removed: fetch it again"
            )
        listed[key] = {"bytes": file.stat().st_size, "sha256": found}
    told("check", len(files), len(files))
    about = {"id": name, "revision": revision, "licence": licence, "files": listed}
    with whole_file(part / _LIST) as out:
        Path(out).write_text(json.dumps(about, indent=1), encoding="utf-8")
    shutil.rmtree(_path(name), ignore_errors=True)
    part.rename(_path(name))
    return _named(name)


def verify(name: str, *, told: Progress = silent) -> Held:
    """A fetched model whose every file is as it was; a CheckpointError names one that is not."""
    model = _named(name)
    if model.packaged:
        _verify_packaged(model)
        return model
    files = _about(model.path / _LIST)["files"]
    for n, (key, about) in enumerate(files.items()):
        told("check", n, len(files))
        file = model.path / key
        if not file.is_file():
            raise CheckpointError(f"{file} is missing: remove {name} and fetch it again")
        if file.stat().st_size != about["bytes"] or _sha256(file) != about["sha256"]:
            raise CheckpointError(f"{file} was changed: remove {name} and fetch it again")
    told("check", len(files), len(files))
    return model


def _verify_packaged(model: Held) -> None:
    for config in sorted(model.path.glob("*/config.json")):
        for key, about in json.loads(config.read_text("utf-8"))["files"].items():
            file = config.with_name(key)
            if not file.is_file() or _sha256(file) != about["sha256"]:
                raise CheckpointError(f"{file} was changed: install worldreel again")


def remove(name: str) -> Held:
    """Remove a fetched model."""
    model = _named(name)
    if model.packaged:
        raise RequestError(f"{name} comes with worldreel and stays: only fetched ones are removed")
    # it is no model from the first instant on, whatever becomes of the rest
    (model.path / _LIST).unlink()
    shutil.rmtree(model.path)
    return model


def _named(name: str) -> Held:
    models = held()
    found = next((model for model in models if model.name == name), None)
    if found is None:
        here = ", ".join(model.name for model in models)
        raise RequestError(f"no model {name!r} is here, but {here}: `worldreel models fetch` it")
    return found


def _path(name: str) -> Path:
    return folder() / name.replace("/", "--")


def _about(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_text("utf-8"))
        sum(one["bytes"] for one in about["files"].values())
        return {k: about[k] for k in ("id", "revision", "licence", "files")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{file} cannot be read ({error!r}): remove its folder, and fetch the model again"
        ) from None


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(_CHUNK):
            digest.update(part)
    return digest.hexdigest()
