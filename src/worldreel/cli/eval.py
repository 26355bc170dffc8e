"""`worldreel eval`: weights become figures."""

import json
import sys
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


@app.callback()
def judge() -> None:
    """Judge a model by what its videos show."""
    if find_spec("mujoco") is None:  # said before torch is loaded
        raise missing("mujoco")


@app.command()
def words(
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    count: Annotated[int, typer.Option(help="How many scenes, half held out; from 1.")] = 300,
    out: Annotated[
        str | None, typer.Option(help="The folder of the card.", show_default="cards/MODEL")
    ] = None,
    first_seed: Annotated[int, typer.Option(help="Seeds count up from it; from 0.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """How much of a prompt is in the picture: colour, kind, side, setting, in two languages.

    Seeds 0 to n-1 are the reported ones; choose weights and settings on others (100000).
    """
    if count < 1 or first_seed < 0:
        raise RequestError("--count must be at least 1, and --first-seed at least 0")
    folder = check_folder(out or f"cards/{Path(model).resolve().name}")
    with progress(quiet=quiet) as told:
        answer = _card().words(
            model=model, count=count, first_seed=first_seed, out=folder, progress=told
        )
    _tell(answer, as_json)


@app.command()
def calibrate(
    count: Annotated[int, typer.Option(help="How many real renders; from 2.")] = 300,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the answer beside the rulers' weights.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """How often the rulers are right on real renders, and how often they cry wolf."""
    if count < 2:
        raise RequestError("--count must be at least 2")
    with progress(quiet=quiet) as told:
        answer = _card().calibrate(count=count, write=write, progress=told)
    _tell(answer, as_json)


@app.command()
def canary(
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Eight fixed prompts, judged: exits with 1 when a model's output has broken."""
    with progress(quiet=quiet) as told:
        answer = import_module("worldreel.eval.canary").canary(model, progress=told)
    _tell(answer, as_json)
    if not answer["sings"]:
        missed = (
            f"{answer['right']} of {answer['facts']} facts, at least {answer['least']} expected"
        )
        print(f"error: {answer['model']} shows {missed}", file=sys.stderr)
        raise typer.Exit(1)


def _card() -> Any:
    return import_module("worldreel.eval.card")


def _tell(answer: Any, as_json: bool) -> None:
    print(json.dumps(answer, default=str, ensure_ascii=False, indent=None if as_json else 2))
