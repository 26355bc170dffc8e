"""`worldreel generate`: a sentence becomes a video."""

import dataclasses
import io
import json
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from worldreel.cli.progress import progress
from worldreel.errors import RequestError
from worldreel.output import check_writable
from worldreel.request import LONGEST_PROMPT, Limits, Request, check, parse_size, plan

app = typer.Typer(add_completion=False)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def generate(
    prompt: Annotated[str, typer.Argument(help="What the video shows; - reads standard input.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help=".mp4, .gif, .webp, .png (a still), or a folder/"),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="How long it lasts.")] = None,
    num_frames: Annotated[int | None, typer.Option(help="The same in frames; 1: a still.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Pixels, as 256x144.")] = None,
    aspect: Annotated[str | None, typer.Option(metavar="W:H", help="Shape, as 16:9.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same video.")] = 0,
    steps: Annotated[int | None, typer.Option(help="More steps: better, slower.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="How closely to follow.")] = None,
    negative_prompt: Annotated[str, typer.Option(help="What it should not show.")] = "",
    image: Annotated[str | None, typer.Option(metavar="FILE", help="The first frame.")] = None,
    last_image: Annotated[str | None, typer.Option(metavar="FILE", help="The last frame.")] = None,
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    contact_sheet: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also a picture of some frames.")
    ] = None,
    latents: Annotated[
        bool, typer.Option("--latents", help="Also NAME.reel, to continue from.")
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
        prompt=_read_prompt(prompt),
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
        check_writable(contact_sheet, num_frames=1)
    request = _with_images(request)
    took: dict[str, float] = {}
    with progress(quiet=quiet) as told:
        started = time.perf_counter()
        told("load", 0, 1)
        engine = import_module("worldreel.engine").load(model)
        told("load", 1, 1)
        took["load"] = time.perf_counter() - started
        asked = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
        del asked["model"]
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
    notes += [n for n in video.metadata.get("notes") or () if n not in notes]
    notes += [str(w.message) for w in warned if w.category is UserWarning]
    words = {"read": [], "mapped": {}, "ignored": [], **(video.metadata.get("words") or {})}
    f, height, width, _ = video.frames.shape
    answer = {
        "path": str(path),
        "contact_sheet": contact_sheet,
        "width": width,
        "height": height,
        "num_frames": f,
        "fps": video.fps,
        "seed": seed,
        "model": model,
        "seconds": {stage: round(s, 3) for stage, s in took.items()},
        "peak_memory": _peak_memory(),
        "words": {**words, "read": list(words["read"]), "ignored": list(words["ignored"])},
        "notes": notes,
    }
    if as_json:
        print(json.dumps(answer))
    elif not quiet:
        _tell(answer)


def _read_prompt(prompt: str) -> str:
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


def _with_images(request: Request) -> Request:
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


def _peak_memory() -> int | None:
    """Bytes at the highest, as the operating system counted them."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _tell(answer: dict[str, Any]) -> None:
    words = answer["words"]
    for word, meaning in words["mapped"].items():
        print(f"note: read {word!r} as {meaning!r}", file=sys.stderr)
    if words["ignored"]:
        unknown = ", ".join(map(repr, words["ignored"]))
        print(f"note: {answer['model']} does not know {unknown}", file=sys.stderr)
    for note in answer["notes"]:
        print(f"note: {note}", file=sys.stderr)
    frames, fps = answer["num_frames"], answer["fps"]
    length = f"{frames} frames, {frames / fps:g} s" if frames > 1 else "a picture"
    print(
        f"{answer['path']}: {answer['width']}x{answer['height']}, {length}, "
        f"made in {answer['seconds']['total']:.1f} s"
    )
