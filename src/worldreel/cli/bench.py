"""`worldreel bench`: public models here and in diffusers, side by side."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from worldreel.cli.options import AsJson, Quiet
from worldreel.cli.progress import progress
from worldreel.errors import RequestError
from worldreel.extras import missing

app = typer.Typer(add_completion=False)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def bench(
    races: Annotated[
        str, typer.Option(help="cpu (C1 to C8), gpu (G1 to G8), or length: 5 to 60 s, streamed.")
    ] = "cpu",
    only: Annotated[
        str | None,
        typer.Option(metavar="KEYS", help="Some of them, as in C1,C3.", show_default="all"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="The smallest sizes: whether it works, not how fast.")
    ] = False,
    write: Annotated[
        bool,
        typer.Option("--write", help="Put the table into docs/performance.md; all races, in full."),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Race public models against diffusers: equal weights, equal outputs, times in turn.

    A race whose outputs differ by more than its gate allows is void, and the exit code is 1.
    """
    if write and (quick or only):
        raise RequestError("--write is for a whole run: leave out --quick and --only")
    if find_spec("diffusers") is None:  # said before torch is loaded
        raise missing("diffusers")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler talks on standard error
    from worldreel.bench import meeting, page

    if write:
        page.check(page.PAGE, races)
    if races == "length":
        return _lengths(only, quick=quick, write=write, as_json=as_json, quiet=quiet)
    with progress(quiet=quiet) as told:
        answer = meeting.hold(races, only=only, quick=quick, told=told)
    if write:
        page.write(Path(page.PAGE), races, page.table(answer["about"], answer["found"]))
    if as_json:
        print(json.dumps(answer))
    elif not quiet:
        print(page.table(answer["about"], answer["found"]))
    if gone := meeting.void(answer):
        print(f"error: void, because outputs differ: {', '.join(gone)}", file=sys.stderr)
        raise typer.Exit(1)


def _lengths(only: str | None, *, quick: bool, write: bool, as_json: bool, quiet: bool) -> None:
    """What a long video costs, beside nobody: on a GPU where there is one."""
    from worldreel.bench import machine, minutes, page
    from worldreel.device import find_device

    if only:
        raise RequestError("--races length is one run: leave out --only")
    where = find_device("auto")
    name = "quick" if quick else "gpu" if where.type == "cuda" else "cpu"
    with progress(quiet=quiet) as told:
        found = minutes.measured(name, told)
    about = machine.about(where)
    text = f"{page.where(about)} {minutes.table(name, found)}"
    if write:
        page.write(Path(page.PAGE), "length", text)
    if as_json:
        print(json.dumps({"races": "length", "quick": quick, "about": about, **found}))
    elif not quiet:
        print(text)
