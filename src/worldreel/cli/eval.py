"""`worldreel eval`: weights become figures."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from worldreel.cli.progress import progress
from worldreel.errors import RequestError
from worldreel.extras import missing
from worldreel.output import check_folder

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
World = Annotated[
    str, typer.Option(help="Words that scenes keep to: small, plain (clear weather), whole.")
]
Count = Annotated[int, typer.Option(help="How many scenes, half held out; from 1.")]
FirstSeed = Annotated[int, typer.Option(help="Seeds count up from it; from 0.")]
Out = Annotated[
    str | None, typer.Option(help="The folder of the card.", show_default="cards/MODEL")
]


@app.callback()
def judge() -> None:
    """Judge a model by what its videos show."""
    if find_spec("mujoco") is None:  # said before torch is loaded
        raise missing("mujoco")


@app.command()
def words(
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    count: Count = 300,
    out: Out = None,
    first_seed: FirstSeed = 0,
    world: World = "plain",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """How much of a prompt is in the picture: colour, kind, side, setting, in two languages.

    Seeds 0 to n-1 are the reported ones; choose weights and settings on others (100000).
    """
    _check(count, first_seed)
    folder = check_folder(out or f"cards/{Path(model).resolve().name}")
    with progress(quiet=quiet) as told:
        answer = _card().words(
            model=model, count=count, first_seed=first_seed, world=world, out=folder, progress=told
        )
    _tell(answer, as_json, _figures)


@app.command()
def card(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    videos: Annotated[
        str | None,
        typer.Option(
            help="A folder of videos of any system, to be judged instead.",
            show_default="clips of the model",
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            help="Their prompts: JSON, or a line for each video.",
            show_default="those of the model's clips",
        ),
    ] = None,
    lines: Annotated[
        str | None,
        typer.Option(help="Keys of the lines to judge, with commas between.", show_default="all"),
    ] = None,
    count: Count = 300,
    out: Out = None,
    first_seed: FirstSeed = 0,
    world: Annotated[
        str | None,
        typer.Option(
            help="Words that scenes keep to, and whose rulers stand beside: small, plain (clear "
            "weather), whole.",
            show_default="what the prompts' file names, else plain",
        ),
    ] = None,
    chinese: Annotated[int, typer.Option(help="Scenes that are made in Chinese, too.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """The report card of a model, or of a folder of videos: JSON, Markdown and a page."""
    _check(count, first_seed)
    if videos is not None:
        _check_idle(context)
    name = Path(videos or model).resolve().name
    with progress(quiet=quiet) as told:
        answer = _card().card(
            model=model,
            videos_of=videos,
            prompts=prompts,
            lines=[line.strip() for line in lines.split(",")] if lines else None,
            count=count,
            first_seed=first_seed,
            world=world,
            chinese=chinese,
            out=check_folder(out or f"cards/{name}"),
            progress=told,
        )
    _tell(answer, as_json, _figures)
    if failed := [one["file"] for one in answer.get("failed") or ()]:
        some = ", ".join(failed[:3]) + (" and others" if len(failed) > 3 else "")
        said = f"note: {len(failed)} could not be read and count as wrong: {some}"
        print(said, file=sys.stderr)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A card's JSON, or its folder.")],
    second: Annotated[str, typer.Argument(help="Another's.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Two cards side by side, with how sure each difference is."""
    room = import_module("worldreel.eval.compare")
    found = room.compare(first, second)
    print(json.dumps(found, ensure_ascii=False) if as_json else room.markdown(found), end="")
    if as_json:
        print()


export = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Videos for other tools to score."
)
app.add_typer(export, name="export")


@export.callback()
def exported() -> None:
    """Videos for other tools to score."""


@export.command()
def vbench(
    prompts: Annotated[str, typer.Option(help="A prompt on each line, as VBench lists them.")],
    out: Annotated[str, typer.Option(help="A folder for PROMPT-INDEX.mp4.")],
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    samples: Annotated[int, typer.Option(help="Videos of each prompt.")] = 5,
    seconds: Annotated[float, typer.Option(help="Of each video.")] = 2.0,
    first_seed: Annotated[int, typer.Option(help="Seeds count up from it.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Videos under the names that VBench's own tool reads; goes on where it was stopped."""
    with progress(quiet=quiet) as told:
        answer = import_module("worldreel.eval.vbench").export(
            model,
            prompts,
            out,
            samples=samples,
            seconds=seconds,
            first_seed=first_seed,
            progress=told,
        )
    _tell(answer, as_json, "{videos} videos of {prompts} prompts in {out}".format_map)
    for note in answer["notes"] if not as_json else ():
        unknown = ", ".join(map(repr, note["not understood"]))
        print(f"note: of {note['prompt']!r} it does not know {unknown}", file=sys.stderr)


@export.command()
def renders(
    out: Annotated[str, typer.Option(help="A folder for SEED.mp4 and prompts.json.")],
    count: Count = 300,
    first_seed: FirstSeed = 0,
    world: World = "plain",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """The real renders of a card's scenes, with their prompts: what a perfect model would make."""
    _check(count, first_seed)
    with progress(quiet=quiet) as told:
        answer = import_module("worldreel.eval.exhibit").export(
            out, count=count, first_seed=first_seed, world=world, progress=told
        )
    _tell(answer, as_json, "{videos} videos of the {world} world in {out}".format_map)


@app.command()
def calibrate(
    count: Annotated[int, typer.Option(help="How many real renders; from 2.")] = 300,
    world: World = "plain",
    renders: Annotated[
        str, typer.Option(help="A folder where they are kept once they are drawn.")
    ] = "runs/calibration",
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes that draw.")] = 1,
    damages: Annotated[
        int, typer.Option(help="Clips to spoil on purpose in each way, too; 0: none.")
    ] = 0,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the answer beside the rulers' weights.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """How often the rulers are right on real renders, and how often they cry wolf."""
    if count < 2 or jobs < 1 or damages < 0:
        raise RequestError("--count must be at least 2, --jobs 1 and --damages 0")
    with progress(quiet=quiet) as told:
        answer = _card().calibrate(
            count=count,
            world=world,
            folder=check_folder(renders),
            jobs=jobs,
            damages=damages,
            write=write,
            progress=told,
        )
    _tell(answer, as_json, lambda found: _report().calibrated(found).rstrip())


@app.command()
def canary(
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Eight fixed prompts, judged: exits with 1 when a model's output has broken."""
    with progress(quiet=quiet) as told:
        answer = import_module("worldreel.eval.canary").canary(model, progress=told)
    _tell(answer, as_json, "{model}: {right} of {facts} facts as asked, in {seconds} s".format_map)
    if not answer["sings"]:
        missed = (
            f"{answer['right']} of {answer['facts']} facts, at least {answer['least']} expected"
        )
        print(f"error: {answer['model']} shows {missed}", file=sys.stderr)
        raise typer.Exit(1)


def _check(count: int, first_seed: int) -> None:
    if count < 1 or first_seed < 0:
        raise RequestError("--count must be at least 1, and --first-seed at least 0")


def _card() -> Any:
    return import_module("worldreel.eval.card")


def _report() -> Any:
    return import_module("worldreel.eval.report")


def _check_idle(context: typer.Context) -> None:
    """Videos that are there have no model, no seeds and no count: who gives these is told."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("model", "count", "first_seed", "chinese")
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise RequestError(f"--videos are judged as they are: leave out {', '.join(given)}")


def _figures(card: Any) -> str:
    files = [str(file) for file in card["files"]]
    return "\n".join((*_report().table(card), "", *files))


def _tell(answer: Any, as_json: bool, shown: Callable[[Any], str]) -> None:
    """One JSON object, or what people read of it."""
    print(json.dumps(answer, default=str, ensure_ascii=False) if as_json else shown(answer))
