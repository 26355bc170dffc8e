"""From a request to files: what the commands that make a video share."""

import dataclasses
import io
import json
import re
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from worldreel import provenance
from worldreel.cli import several
from worldreel.cli.forecast import foretell, noted, way
from worldreel.cli.progress import progress
from worldreel.errors import RequestError
from worldreel.output import WHOLE, check_sheet, check_writable
from worldreel.request import (
    LONGEST_PROMPT,
    Request,
    RequestWarning,
    check,
    plan,
)
from worldreel.settings import packaged

MOST_VARIATIONS = 1_000
_CLIPS = ("before", "after", "under")
_FILMS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """What is written, how often and how it is told."""

    output: str | None
    contact_sheet: str | None
    latents: bool | None
    variations: int
    as_json: bool
    quiet: bool
    loras: tuple[str, ...] = ()  # as written
    weights: str = "auto"
    plan: bool = False  # nothing is made, and what it would take is told


def length(seconds: str | None, num_frames: int | None = None) -> dict[str, Any]:
    """`seconds` or `num_frames` of a request, from "1.5" or "18f"."""
    frames = num_frames
    if seconds is not None and (match := re.fullmatch(r"\s*([\d.]{1,20})\s*f\s*", seconds)):
        if num_frames is not None:
            raise RequestError("give --seconds or --num-frames, not both")
        if not match[1].isdecimal():
            raise RequestError(f"--seconds in frames is a whole number, such as 18f, not {seconds}")
        seconds, frames = None, int(match[1])
    try:
        return {"seconds": None if seconds is None else float(seconds), "num_frames": frames}
    except ValueError:
        raise RequestError(
            f"--seconds is a number, such as 1.5, or frames, such as 18f, not {seconds!r}"
        ) from None


def written_lora(text: str) -> tuple[str, float]:
    """A file and a strength, from FILE or FILE:STRENGTH."""
    file, _, last = text.rpartition(":")
    held = re.fullmatch(r"-?(?:\d{1,6}(?:\.\d{0,9})?|\.\d{1,9})", last) if file else None
    path, strength = (file, float(last)) if held else (text, 1.0)
    if not Path(path).exists():
        raise RequestError(f"there is no file {path}: a LoRA is FILE or FILE:STRENGTH")
    return path, strength


def is_clip(what: str) -> bool:
    """Whether a word of the command line is a file rather than a sentence."""
    ending = Path(what).suffix
    if ending.lower() in _FILMS and " " not in what.strip():
        return True
    if ending[1:].isalnum() and ending.isascii() and not set(what) & set(" \t\n,;!?"):
        if not Path(what).exists():
            raise RequestError(f"there is no file {what}: a sentence has spaces between its words")
    looks_so = (Path(what).suffix or what.endswith("/")) and len(what) < 1024 and "\0" not in what
    return bool(looks_so and Path(what).exists())


def make(
    request: Request, files: Files, read: Mapping[str, str | None], notes: Sequence[str] = ()
) -> None:
    """A request becomes files, and an answer on standard output. read: the files it is made of."""
    request, kinds = _opened(dataclasses.replace(request, prompt=read_prompt(request.prompt))), []
    loras = tuple(map(written_lora, files.loras))
    request, frames = _planned(request)
    written = Path(files.output or "").suffix.lower() not in WHOLE
    foretold, divided = foretell(
        request, told=files.plan, weights=files.weights, written=written, loras=loras
    )
    notes = [*notes, *noted(foretold)]
    seeds = _seeds(request, files.variations)
    places = _numbered(files.output or "", files.variations)
    if files.output is None:
        places = _free_names(files.variations, picture=frames == 1)
    sheets: list[str | None] = [None] * files.variations
    if files.contact_sheet is not None:
        sheets = [*_numbered(files.contact_sheet, files.variations)]
    for one, sheet in zip(places, sheets, strict=True):
        kinds.append(check_writable(one, num_frames=frames))
        if files.latents and kinds[-1] != ".mp4":
            raise RequestError(f"--latents keeps latents beside an .mp4, not beside {one}")
        if sheet is not None:
            check_sheet(sheet)
        names = {"--output": one, "--contact-sheet": sheet}
        if kinds[-1] == ".mp4" and files.latents is not False:
            names["the latents of --output"] = str(provenance.claim_sidecar(one))
        _apart(names, dict(read) | _sidecars(read))
    request = with_pictures(request)
    if files.plan:
        told = [one for one in (foretold, divided) if one is not None]
        if files.as_json:
            print(json.dumps({k: v for one in told for k, v in one.to_json().items()}))
        else:
            print("\n".join(one.table() for one in told))
        return
    started = time.perf_counter()
    with progress(quiet=files.quiet) as told:
        told("load", 0, 1)
        engine = import_module("worldreel.engine").load(
            request.model,
            loras=loras,
            way=way(foretold),
            weights=files.weights,
            team=several.team(),
            progress=told,
        )
        told("load", 1, 1)
        loaded = time.perf_counter() - started
        answers = []
        for seed, one, sheet, kind in zip(seeds, places, sheets, kinds, strict=True):
            began = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RequestWarning)  # they are among the notes
                film = engine.film(dataclasses.replace(request, seed=seed), progress=told)
            told("save", 0, 1)  # decoded on its way
            saving = time.perf_counter()
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                path = film.save(one, sidecar=files.latents, sheet=sheet)
            told("save", 1, 1)
            took = {"load": loaded, **film.metadata["seconds"]}
            took["save"] = time.perf_counter() - saving - took["decode"]
            took["total"] = time.perf_counter() - began + loaded
            found = [*notes, *(n for n in film.notes if n not in notes)]
            found += {str(w.message): None for w in warned if w.category is UserWarning}
            answer = _answer(film, request, path, kind, sheet, seed, took, found)
            answers.append(answer)
            if not (files.as_json or files.quiet):
                _tell(answer)
    if files.as_json:
        print(json.dumps(answers[0] if files.variations == 1 else {"variations": answers}))


def _answer(
    film: Any,
    request: Request,
    path: Path,
    kind: str,
    sheet: str | None,
    seed: int | None,
    took: Mapping[str, float],
    notes: list[str],
) -> dict[str, Any]:
    made = film.metadata.get("request") or {}
    words = {"read": [], "mapped": {}, "ignored": [], **(film.metadata.get("words") or {})}
    width, height = film.size
    beside = provenance.sidecar_path(path) if kind == ".mp4" else None
    return {
        "path": str(path),
        "kind": kind,
        "latents": str(beside) if beside is not None and beside.exists() else None,
        "contact_sheet": sheet,
        "width": width,
        "height": height,
        "num_frames": film.num_frames,
        "fps": film.fps,
        "seed": made.get("seed", seed),
        "model": request.model,
        "prompt": made.get("prompt", request.prompt),
        "changed": made.get("changed"),
        "clip_id": film.metadata.get("clip_id"),
        "lineage": film.metadata.get("lineage") or [],
        "seconds": {stage: round(s, 3) for stage, s in took.items()},
        "peak_memory": peak_memory(),
        "words": {**words, "read": list(words["read"]), "ignored": list(words["ignored"])},
        "notes": notes,
    }


def _seeds(request: Request, variations: int) -> list[int | None]:
    """The seed of each variation; None where the engine takes the one after the clip's."""
    if not 1 <= variations <= MOST_VARIATIONS:
        raise RequestError(f"--variations is from 1 to {MOST_VARIATIONS}, not {variations}")
    first = request.seed
    if first is None and variations > 1:
        first = 0 if request.under.seed is None else (request.under.seed + 1) % 2**64
    if first is None:
        return [None]
    if first + variations > 2**64:
        raise RequestError(f"the last of {variations} seeds from {first} is above 2**64 - 1")
    return list(range(first, first + variations))


def _numbered(name: str, variations: int) -> list[str]:
    """ball.mp4 becomes ball-1.mp4, ball-2.mp4; one alone keeps its name."""
    path = Path(name)
    if variations == 1 or not path.name:
        return [name] * variations
    return [str(path.with_name(f"{path.stem}-{n}{path.suffix}")) for n in range(1, variations + 1)]


def _apart(written: Mapping[str, str | None], read: Mapping[str, str | None]) -> None:
    """Refuse to write over what was just written, or over a file that is given."""
    seen: dict[Path, str] = {}
    for option, name in (*written.items(), *read.items()):
        if name is None:
            continue
        path = Path(name).resolve()
        for place in (path, path.parent):  # a folder of frames is replaced whole
            if place in seen:
                inside = "is the same file as" if place == path else "lies in the folder of"
                raise RequestError(f"{option} {name} {inside} {seen[place]}: choose another name")
        if option in written:
            seen[path] = option


def _sidecars(read: Mapping[str, str | None]) -> dict[str, str | None]:
    beside = {k: provenance.sidecar_path(n) for k, n in read.items() if n and Path(n).suffix}
    return {f"the latents of {k}": str(path) for k, path in beside.items() if path.exists()}


def read_prompt(prompt: str | None) -> str | None:
    """The prompt itself, or standard input, of which no more is read than a prompt may have."""
    if prompt != "-":
        return prompt
    if sys.stdin is None:
        raise RequestError("standard input is closed: there is no prompt to read")
    reader = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8")
    try:
        text = reader.read(LONGEST_PROMPT + 1)
    except UnicodeDecodeError:
        raise RequestError("standard input is not UTF-8 text") from None
    finally:
        reader.detach()
    if len(text) > LONGEST_PROMPT:
        raise RequestError(
            f"the prompt on standard input has more than {LONGEST_PROMPT:,} characters, "
            "which is the limit: shorten it"
        )
    return text


def _opened(request: Request) -> Request:
    """The request with its clips and its mask read: what is wrong with them is said at once."""
    check(request)
    found = {role: clip for role in _CLIPS if (clip := getattr(request, role)) is not None}
    if not found:
        return request
    clips = import_module("worldreel.clips")
    mask = None if request.mask is None else clips.read_mask(request.mask)
    read = {role: clips.read(clip) for role, clip in found.items()}
    return dataclasses.replace(request, mask=mask, **read)


def _planned(request: Request) -> tuple[Request, int | None]:
    """Refuse a bad request before torch is loaded; the number of frames where it is known."""
    limits = packaged(request.model)
    if limits is not None:
        if any(getattr(request, role) is not None for role in _CLIPS):
            request = import_module("worldreel.clips").ready(request, limits)
        return request, plan(request, limits).num_frames
    if "/" in request.model and not Path(request.model).exists():
        if import_module("worldreel.shelf").place_of(request.model) is None:
            raise RequestError(
                f"there is no model at {request.model}: give a folder of weights, or the id of one"
                f" that was fetched (worldreel models fetch {request.model})"
            )
    return request, request.num_frames


def with_pictures(request: Request) -> Request:
    """The request with its pictures read, of which a damaged one is then said before the work."""
    names = [name for name in ("image", "last_image") if getattr(request, name) is not None]
    if not (names or request.keyframes or request.references):
        return request
    from worldreel.media import read_image

    frames = [(time, read_image(file), *held) for time, file, *held in request.keyframes]
    pictures = {n: read_image(getattr(request, n)) for n in names}
    shown = [read_image(file) for file in request.references]
    return dataclasses.replace(request, keyframes=frames, references=shown, **pictures)


def _free_names(variations: int, *, picture: bool) -> list[str]:
    """Names of our choice never replace a file; one that a person gives does."""
    suffix = ".png" if picture else ".mp4"
    names, number = _numbered(f"worldreel{suffix}", variations), 1
    while any(Path(n).exists() or provenance.sidecar_path(n).exists() for n in names):
        number += 1
        names = _numbered(f"worldreel-{number}{suffix}", variations)
    return names


def peak_memory() -> int | None:
    """Bytes at the highest, as the operating system counted them."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _tell(answer: dict[str, Any]) -> None:
    for note in answer["notes"]:
        print(f"note: {note}", file=sys.stderr)
    frames, fps = answer["num_frames"], answer["fps"]
    length = f"{frames} frames, {frames / fps:.3g} s" if frames > 1 else "a picture"
    place = answer["path"]
    if answer["kind"] == "folder":
        place = f"{place.rstrip('/')}/ (a folder of .png files)"
    new = ""
    if answer["lineage"] and answer["changed"]:
        new = ", new from {:.3g} s to {:.3g} s".format(*answer["changed"])
    print(
        f"{place}: {answer['width']}x{answer['height']}, {length}{new}, "
        f"made in {answer['seconds']['total']:.1f} s"
    )
    if answer["contact_sheet"]:
        print(f"{answer['contact_sheet']}: its contact sheet")
