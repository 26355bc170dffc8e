"""`worldreel world`: the simulated world that marble learns from, without any model."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worldreel.cli.progress import progress
from worldreel.errors import RequestError, WorldreelError
from worldreel.extras import missing
from worldreel.output import check_folder, check_writable
from worldreel.values import parse_size

if TYPE_CHECKING:
    import numpy as np

    from worldreel.world.scene import Take

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ACROSS = 4  # pictures of each scene in a sheet

Seed = Annotated[int, typer.Option(help="Of the first scene; they count up.")]
Size = Annotated[str, typer.Option(metavar="WxH", help="Pixels of each picture.")]
Seconds = Annotated[float, typer.Option(help="Of each scene.")]
Within = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="WORD", help="Keep to this word's scenes; may be repeated."),
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--scene", metavar="FILE", help="A scene of your own, JSON; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.callback()
def world() -> None:
    """The simulated world that marble learns from."""
    if find_spec("mujoco") is None:
        raise missing("mujoco")


@app.command()
def preview(
    out: Annotated[
        str, typer.Option("--out", "-o", help="A .png sheet, or a video of the scenes in turn.")
    ] = "world.png",
    count: Annotated[int, typer.Option(help="How many scenes.")] = 6,
    seed: Seed = 0,
    size: Size = "256x144",
    seconds: Seconds = 2.0,
    within: Within = None,
    scene: Files = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Render random or named scenes into one picture or video, and print what they show."""
    if not 1 <= count <= 100:
        raise RequestError("--count must be from 1 to 100")
    width, height = parse_size(size)
    still = Path(out).suffix.lower() == ".png"
    check_writable(out, num_frames=1 if still else 2)
    import numpy as np

    rows, told = [], []
    total = len(scene) if scene else count
    with progress(quiet=quiet) as tell:
        for index, (name, take) in enumerate(
            _takes(scene, seed, count, seconds, within, (width, height))
        ):
            tell("render", index, total)
            rows.append(_drawn(take, (width, height), still))
            told.append({"seed": name, "caption": _captions(take, "en", count=1)[0]})
        tell("render", total, total)
    path = _save(np.concatenate(rows, axis=1 if still else 0), out, told)
    if as_json:
        print(json.dumps({"path": path, "scenes": told}, ensure_ascii=False))
    else:
        for one in told:
            print(f"{one['seed']}: {one['caption']}")


@app.command("render")
def render_shards(
    out: Annotated[str, typer.Option("--out", "-o", help="A folder, for shards of clips.")],
    count: Annotated[int, typer.Option(help="How many clips.")],
    seed: Seed = 0,
    size: Size = "256x144",
    seconds: Seconds = 2.0,
    samples: Annotated[int, typer.Option(help="Rays per pixel at edges; 1 is fastest.")] = 4,
    still: Annotated[bool, typer.Option("--still", help="Pictures instead of clips.")] = False,
    split: Annotated[
        str | None, typer.Option(help="held_out: scenes of the pairs that training never sees.")
    ] = None,
    within: Within = None,
    truth: Annotated[
        bool, typer.Option("--truth/--no-truth", help="Depth, flow, positions, contacts too.")
    ] = True,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes.")] = 1,
    device: Annotated[str, typer.Option(help="Where frames are drawn: cpu or cuda.")] = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Render clips with captions, facts and ground truth into shards; resumes where it stopped."""
    if count < 1 or seed < 0 or not 1 <= jobs <= 256:
        raise RequestError("--count and --jobs must be at least 1, and --seed at least 0")
    check_folder(out)
    from worldreel.data import clip, synth

    try:
        settings = synth.Settings(
            size=parse_size(size), seconds=seconds, samples=samples, split=split, still=still,
            within=tuple(within or ()), truth=truth, device=device,
        )  # fmt: skip
        with progress(quiet=quiet) as tell:
            synth.synthesize(out, settings, first_seed=seed, count=count, jobs=jobs, progress=tell)
    except WorldreelError:
        raise
    except ValueError as error:
        raise RequestError(str(error)) from None
    made = [str(path) for path in clip.shards(out)]
    if as_json:
        print(json.dumps({"path": out, "clips": count, "first_seed": seed, "shards": made}))
    else:
        print(f"{count} clips are in {out}: read them with worldreel.data.clip.read(shard)")


@app.command()
def pack(
    out: Annotated[str, typer.Option("--out", "-o", help="A folder, for files of takes.")],
    count: Annotated[int, typer.Option(help="How many takes.")],
    seed: Seed = 0,
    seconds: Seconds = 2.0,
    still: Annotated[bool, typer.Option("--still", help="Pictures instead of clips.")] = False,
    split: Annotated[
        str | None, typer.Option(help="held_out: scenes of the pairs that training never sees.")
    ] = None,
    within: Within = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes.")] = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Act scenes out and pack them without pixels, to be drawn where there is no physics."""
    if count < 1 or seed < 0 or not 1 <= jobs <= 256:
        raise RequestError("--count and --jobs must be at least 1, and --seed at least 0")
    check_folder(out)
    from worldreel.data import synth, takes

    try:
        settings = synth.Settings(
            size=(256, 144), seconds=seconds, split=split, still=still, within=tuple(within or ())
        )
        with progress(quiet=quiet) as tell:
            made = takes.pack(out, settings, first_seed=seed, count=count, jobs=jobs, progress=tell)
    except WorldreelError:
        raise
    except ValueError as error:
        raise RequestError(str(error)) from None
    if as_json:
        print(json.dumps({"path": out, "first_seed": seed, **made}))
    else:
        each = made["bytes"] / max(1, made["takes"])
        print(f"{made['takes']} takes of {each:.0f} bytes are in {out}")


@app.command()
def show(
    scene: Annotated[str, typer.Argument(metavar="SEED|FILE", help="A seed, or a scene's JSON.")],
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="A picture or a video of it, too.")
    ] = None,
    size: Size = "256x144",
    seconds: Seconds = 2.0,
    within: Within = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What a scene is: its JSON, its facts, and how it may be said in both languages."""
    still = out is not None and Path(out).suffix.lower() == ".png"
    if out is not None:
        check_writable(out, num_frames=1 if still else 2)
    given = [Path(scene)] if not scene.isdecimal() else None
    seed = 0 if given else int(scene)
    ((_, take),) = _takes(given, seed, 1, seconds, within, parse_size(size))
    from worldreel.world.facts import facts

    known = {
        "scene": json.loads(take.scene.to_json()),
        "facts": [str(fact) for fact in facts(take)],
        "captions": {language: _captions(take, language) for language in ("en", "zh")},
    }
    if out is not None:
        with progress(quiet=quiet) as tell:
            tell("render", 0, 1)
            frames = _drawn(take, parse_size(size), still)
            tell("render", 1, 1)
        known["path"] = _save(frames, out, take.scene.seed)
    if as_json:
        print(json.dumps(known, ensure_ascii=False))
        return
    print(take.scene.to_json())
    for line in (*known["facts"], *known["captions"]["en"], *known["captions"]["zh"]):
        print(line)


def _takes(
    files: list[Path] | None,
    seed: int,
    count: int,
    seconds: float,
    within: list[str] | None,
    size: tuple[int, int],
) -> Any:
    """Names and takes: of scene files, or of seeds."""
    if seed < 0 or not 0 <= seconds <= 60:
        raise RequestError("--seed must be at least 0, and --seconds from 0 to 60")
    from worldreel.world.act import act, stage_scene
    from worldreel.world.scene import Scene

    for path in files or ():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"{path} is no scene: {error}") from None
        yield str(path), act(Scene.from_json(text), size=size)
    if not files:
        for number in range(seed, seed + count):
            kept = frozenset(within or ()) or None
            yield number, stage_scene(number, seconds=seconds, size=size, within=kept)


def _drawn(take: "Take", size: tuple[int, int], still: bool) -> "np.ndarray":
    """The frames of a take, F H W 3; for a sheet some of them, evenly, side by side as one."""
    import numpy as np

    from worldreel.world.render import Render, render

    if still:
        take = take.at(np.linspace(0, take.num_frames - 1, ACROSS).round().astype(int))
    made = render(take, size=size, samples=4)
    assert isinstance(made, Render)
    return np.concatenate(list(made.frames), axis=1)[None] if still else made.frames


def _save(frames: "np.ndarray", out: str, told: Any) -> str:
    """Frames as a file that says what it shows and that it was rendered; its path."""
    from worldreel.media import Video
    from worldreel.provenance import RENDERED
    from worldreel.world.scene import FPS

    about = {"request": {"world": told}, "digital_source_type": RENDERED}
    return str(Video(frames, fps=FPS, metadata=about).save(out))


def _captions(take: "Take", language: str, count: int = 4) -> list[str]:
    import numpy as np

    from worldreel.world.describe import captions

    rng = np.random.default_rng(take.scene.seed)
    return [c.text for c in captions(take, rng, count=count, language=language)]
