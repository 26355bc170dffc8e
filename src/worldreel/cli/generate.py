"""`worldreel generate`: a sentence becomes a video."""

import dataclasses
import io
import json
import sys
import time
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from worldreel.cli.progress import progress
from worldreel.errors import RequestError
from worldreel.output import KINDS, PICTURES, check_sheet, check_writable
from worldreel.request import (
    LONGEST_PROMPT,
    MOST_GUIDANCE,
    MOST_STEPS,
    Limits,
    Request,
    RequestWarning,
    check,
    parse_size,
    plan,
)

app = typer.Typer(add_completion=False)

MARBLE = Limits()
_WIDE, _HIGH = MARBLE.base_sizes[MARBLE.default_aspect]
_TRAINED = "{}x{}".format(*MARBLE.trained_sizes[0])
_MOST = int(MARBLE.max_seconds * MARBLE.fps)


@app.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Limits and defaults are marble's; another model may have its own.",
)
def generate(
    prompt: Annotated[
        str,
        typer.Argument(
            help=f"What the video shows, in up to {LONGEST_PROMPT:,} characters; "
            "- reads standard input."
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help=f"{', '.join(KINDS[:-1])}, .png (a still), or a name without an ending: a folder "
            "of .png frames. A file of that name is replaced.",
            show_default="worldreel.mp4 or a still's worldreel.png, numbered if it exists",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help=f"How long it lasts, up to {MARBLE.max_seconds:g}, rounded to groups of "
            f"{MARBLE.frames_per_latent} frames at {MARBLE.fps} a second.",
            show_default=f"{MARBLE.default_seconds:g}",
        ),
    ] = None,
    num_frames: Annotated[
        int | None,
        typer.Option(help=f"The same in frames, up to {_MOST}; 1: a still."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help=f"Pixels: multiples of {MARBLE.grid} from {MARBLE.min_side} to {MARBLE.max_side}; "
            f"marble was trained mostly at {_TRAINED} and is best there.",
            show_default=f"{_WIDE}x{_HIGH}",
        ),
    ] = None,
    aspect: Annotated[
        str | None,
        typer.Option(
            metavar="W:H",
            help=f"The shape instead of a size, such as {', '.join(MARBLE.base_sizes)}.",
            show_default=MARBLE.default_aspect,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same video; 0 to 2**64 - 1.")
    ] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"More steps: better, slower; 1 to {MOST_STEPS}.",
            show_default=f"{MARBLE.default_steps}",
        ),
    ] = None,
    guidance_scale: Annotated[
        float | None,
        typer.Option(
            help=f"How closely to follow the prompt, 0 to {MOST_GUIDANCE:g}; 1: no guidance.",
            show_default=f"{MARBLE.default_guidance:g}",
        ),
    ] = None,
    negative_prompt: Annotated[str, typer.Option(help="What it should not show.")] = "",
    image: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A picture: the first frame."),
    ] = None,
    last_image: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A picture: the last frame."),
    ] = None,
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    contact_sheet: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=f"Also a picture of some frames: {', '.join(PICTURES)}.",
        ),
    ] = None,
    latents: Annotated[
        bool, typer.Option("--latents", help="Also NAME.reel beside NAME.mp4, to continue from.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Turn a sentence into a video."""
    notes: list[str] = []
    still = output is not None and output.lower().endswith(".png")
    if still and seconds is None and num_frames is None:
        num_frames = 1
        notes.append("a .png is a picture: one frame was made")
    request = Request(
        prompt=read_prompt(prompt),
        negative_prompt=negative_prompt,
        seconds=seconds,
        num_frames=num_frames,
        size=None if size is None else parse_size(size),
        aspect=aspect,
        seed=seed,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        image=image,
        last_image=last_image,
        model=model,
    )
    frames = _check(request)
    place = output if output is not None else _free_name(picture=frames == 1)
    kind = check_writable(place, num_frames=frames)
    if latents and kind != ".mp4":
        raise RequestError(f"--latents keeps latents beside an .mp4, not beside {place}")
    if contact_sheet is not None:
        check_sheet(contact_sheet)
    _apart(
        {"--output": place, "--contact-sheet": contact_sheet},
        {"--image": image, "--last-image": last_image},
    )
    request = with_images(request)
    took: dict[str, float] = {}
    with progress(quiet=quiet) as told:
        started = time.perf_counter()
        told("load", 0, 1)
        engine = import_module("worldreel.engine").load(model)
        told("load", 1, 1)
        took["load"] = time.perf_counter() - started
        asked = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
        del asked["model"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RequestWarning)  # they are among the notes
            video = engine.generate(asked.pop("prompt"), progress=told, **asked)
        told("save", 0, 1)
        saving = time.perf_counter()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            path = video.save(place, sidecar=latents)
            if contact_sheet is not None:
                video.save_contact_sheet(contact_sheet)
        told("save", 1, 1)
    took |= video.metadata.get("seconds") or {}
    took["save"] = time.perf_counter() - saving
    took["total"] = time.perf_counter() - started
    notes += [n for n in video.notes if n not in notes]
    notes += [str(w.message) for w in warned if w.category is UserWarning]
    words = {"read": [], "mapped": {}, "ignored": [], **(video.metadata.get("words") or {})}
    f, height, width, _ = video.frames.shape
    answer = {
        "path": str(path),
        "kind": kind,
        "contact_sheet": contact_sheet,
        "width": width,
        "height": height,
        "num_frames": f,
        "fps": video.fps,
        "seed": seed,
        "model": model,
        "seconds": {stage: round(s, 3) for stage, s in took.items()},
        "peak_memory": peak_memory(),
        "words": {**words, "read": list(words["read"]), "ignored": list(words["ignored"])},
        "notes": notes,
    }
    if as_json:
        print(json.dumps(answer))
    elif not quiet:
        _tell(answer)


def _apart(written: Mapping[str, str | None], read: Mapping[str, str | None]) -> None:
    """Refuse to write over what was just written, or over a picture that is given."""
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


def read_prompt(prompt: str) -> str:
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


def _check(request: Request) -> int | None:
    """Refuse a bad request before torch is loaded; the number of frames where it is known."""
    if request.model == Limits().name:
        return plan(request, Limits()).num_frames
    check(request)
    if "/" in request.model and not Path(request.model).exists():
        raise RequestError(f"there is no model at {request.model}: give a folder of weights")
    return request.num_frames


def with_images(request: Request) -> Request:
    names = [name for name in ("image", "last_image") if getattr(request, name) is not None]
    if not names:
        return request
    from worldreel.media import read_image

    return dataclasses.replace(request, **{n: read_image(getattr(request, n)) for n in names})


def _free_name(*, picture: bool) -> str:
    """A name of our choice never replaces a file; one that a person gives does."""
    suffix = ".png" if picture else ".mp4"
    name, number = f"worldreel{suffix}", 1
    while Path(name).exists():
        number += 1
        name = f"worldreel-{number}{suffix}"
    return name


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
    print(
        f"{place}: {answer['width']}x{answer['height']}, {length}, "
        f"made in {answer['seconds']['total']:.1f} s"
    )
    if answer["contact_sheet"]:
        print(f"{answer['contact_sheet']}: its contact sheet")
