"""Folders of videos of any system, and the prompts that they were made for.

A prompts file is JSON, {"clip.mp4": "a red ball ...", ...} or a list of {"file": ..., "prompt":
...} or of prompts alone, or {"world": ..., "prompts": any of these}; or text, a line for each
video: its name, a tab and its prompt, or the prompt alone. Prompts alone belong to the videos in
the order of their names. What a prompt states is read by `worldreel.world.parse`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldreel.errors import MediaError, RequestError
from worldreel.eval.known import WORLDS
from worldreel.media import Video
from worldreel.prompt.account import account
from worldreel.prompt.pieces import NEGATED, UNKNOWN
from worldreel.provenance import SIDECAR
from worldreel.world.facts import Fact
from worldreel.world.parse import parse_words

_BESIDE = (".json", ".txt", ".md", ".csv", ".html", ".yaml", ".yml", SIDECAR)  # no videos


@dataclass(frozen=True, kw_only=True)
class Prompted:
    """A video, and what its prompt states; unknown: words that the world does not have, and what
    is said with a no."""

    path: Path
    text: str
    facts: tuple[Fact, ...]
    unknown: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.name


def listed(folder: Path) -> list[Path]:
    """The videos of a folder (files, or folders of frames), by name; a MediaError if none."""
    if not folder.is_dir():
        raise MediaError(f"{folder} is no folder: give one that holds videos")
    found = [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.suffix.lower() not in _BESIDE
    ]
    if not found:
        raise MediaError(f"{folder} holds no videos: .mp4, .gif, .webp or folders of .png frames")
    return sorted(found)


def paired(folder: Path, prompts: Path) -> list[Prompted]:
    """The videos of a folder with their prompts; those that a prompt names and that are not there,
    too. A RequestError where a video has no prompt."""
    files = listed(folder)
    given = _prompts(prompts)
    if isinstance(given, dict):
        by = {path.name: path for path in files} | {path.stem: path for path in files}
        named = [(by.get(name, folder / name), text) for name, text in given.items()]
        bare = [path for path in files if path not in {path for path, _ in named}]
        if bare:
            raise RequestError(
                f"{len(bare)} of {len(files)} videos have no prompt in {prompts} "
                f"({bare[0].name}): give one for each"
            )
    else:
        if len(given) != len(files):
            raise RequestError(
                f"{prompts} has {len(given)} prompts for {len(files)} videos: give one for each"
            )
        named = list(zip(files, given, strict=True))
    made = [_prompted(path, text) for path, text in named]
    if not any(one.facts for one in made):
        raise RequestError(f"no prompt of {prompts} says anything that the rulers know")
    return made


def opened(clip: Prompted) -> Video | str:
    """The video, or why it cannot be read."""
    if not clip.path.exists():
        return "it is not there"
    try:
        return Video.open(clip.path)
    except MediaError as error:
        return str(error)


def _prompted(path: Path, text: str) -> Prompted:
    told = account(text)
    parsed = parse_words(told.text, told.language)
    return Prompted(
        path=path,
        text=text,
        facts=parsed.facts,
        unknown=(*told.of(UNKNOWN), *told.of(NEGATED)),
    )


def world_of(prompts: Path) -> str | None:
    """The world whose scenes a file of prompts says that it is of."""
    data = _read(prompts)
    return data["world"] if _wrapped(data) else None


def _read(file: Path) -> Any:
    try:
        text = file.read_text("utf-8")
        return json.loads(text) if file.suffix.lower() == ".json" else _lines(text)
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} is no file of prompts ({error})") from None


def _wrapped(data: Any) -> bool:
    """Whether prompts stand beside the name of their world."""
    return (
        isinstance(data, dict) and data.keys() == {"world", "prompts"} and data["world"] in WORLDS
    )


def _prompts(file: Path) -> dict[str, str] | list[str]:
    data = _read(file)
    data = data["prompts"] if _wrapped(data) else data
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        if not all({"file", "prompt"} <= set(row) for row in data):
            raise RequestError(f'{file}: each entry needs a "file" and a "prompt"')
        data = {str(row["file"]): row["prompt"] for row in data}
    texts = list(data.values()) if isinstance(data, dict) else data
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RequestError(f"{file} is no list of prompts, nor a table of files and prompts")
    if not texts:
        raise RequestError(f"{file} holds no prompts")
    return data


def _lines(text: str) -> dict[str, str] | list[str]:
    rows = [line.split("\t", 1) for line in text.splitlines() if line.strip()]
    if rows and all(len(row) == 2 for row in rows):
        return {name.strip(): said.strip() for name, said in rows}
    return [" ".join(row).strip() for row in rows]
