"""The command line: a room per command, imported when it is called.

worldreel generate PROMPT     a sentence becomes a video
worldreel extend CLIP PROMPT  a clip goes on, or begins earlier
worldreel connect A B         two clips become one
worldreel loop WHAT           a video without an end
worldreel fill CLIP           a part of a clip is painted anew
worldreel retake CLIP         a span of a clip is played again
worldreel edit CLIP PROMPT    a clip as other words have it
worldreel stream PROMPT       a video of any length
worldreel prompt TEXT         what a prompt says, and what it becomes
worldreel models list         what is here to make videos with
worldreel verify FILE         what a file says of its making
worldreel doctor              what this machine offers
worldreel train STAGE RECIPE  clips become weights
worldreel eval words          weights become figures
worldreel bench               public models here and in diffusers, side by side
worldreel world preview       what the world looks like
"""

import errno
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from worldreel import __version__, _wait_briefly, extras
from worldreel.cli import several
from worldreel.errors import (
    CheckpointError,
    MediaError,
    RequestError,
    SceneError,
    WorldreelError,
)

MAKING = ("generate", "extend", "connect", "loop", "fill", "retake", "edit")
_SHARED = (*MAKING, "stream")  # which several processes can do together
ROOMS = (
    *MAKING,
    "stream",
    "prompt",
    "models",
    "verify",
    "doctor",
    "train",
    "eval",
    "bench",
    "world",
)
DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
ENDS = {
    DONE: "done",
    FAILED: "failed on the way, or a canary stopped",
    REFUSED: "asked for what cannot be, or given what cannot be read or written",
    INTERRUPTED: "interrupted",
}
_GIVEN = (RequestError, SceneError, MediaError, CheckpointError)  # of what a person gave
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a disk, whatever was asked


class Rooms(typer.core.TyperGroup):
    """A group that imports `worldreel.cli.NAME` when NAME is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(ROOMS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in ROOMS:
            return None
        command = typer.main.get_command(import_module(f"worldreel.cli.{cmd_name}").app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=Rooms,
    no_args_is_help=True,
    epilog=f"Exit codes: {'; '.join(f'{code} {what}' for code, what in ENDS.items())}. "
    "An error is one line on standard error; with --json, also an object on standard output. "
    "WORLDREEL_TRACEBACK=1 shows where it came from; WORLDREEL_MARK=0 writes files without a mark.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"worldreel {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which, and end."),
    ] = False,
) -> None:
    """An open world simulator: a sentence becomes a video."""


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = list(sys.argv[1:] if args is None else args)
    _wait_briefly()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: _say(f"note: {message}")
            shared = several.count() > 1 and bool(args) and args[0] in _SHARED
            code = several.run(_run, args) if shared else _run(args)
        if code == INTERRUPTED:
            _say("interrupted")
        return code if isinstance(code, int) else DONE
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return _explain(error, as_json="--json" in args)


def _run(args: list[str]) -> Any:
    return typer.main.get_command(app).main(args, "worldreel", standalone_mode=False)


def _explain(error: Exception, *, as_json: bool) -> int:
    """Say in one line what went wrong, and return the exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":  # click's: the message is the help itself
        if str(error).strip():  # with rich, it has been printed already
            _say(str(error))
        return REFUSED
    if type(error).__name__ == "Abort":
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, ModuleNotFoundError) and error.name in extras.EXTRA_OF:
        error = extras.missing(error.name)
    usage = hasattr(error, "format_message") and hasattr(error, "exit_code")  # click's errors
    if usage:
        message = _usage(error)
    elif isinstance(error, WorldreelError):
        message = str(error)
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        message = "out of memory: ask for a smaller size or fewer seconds"
    else:
        message = f"{type(error).__name__}: {error} (WORLDREEL_TRACEBACK=1 shows where)"
    message = several.who() + " ".join(message.split())
    full = isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL
    code = REFUSED if usage or (isinstance(error, _GIVEN) and not full) else FAILED
    if os.environ.get("WORLDREEL_TRACEBACK") == "1":
        traceback.print_exception(error)
    _say(f"error: {message}")
    if as_json:
        told = {"type": type(error).__name__, "message": message, "code": code}
        print(json.dumps({"error": told}), flush=True)
    return code


def _usage(error: Any) -> str:
    """What click says of a bad command, and where to read more."""
    message, place = error.format_message(), getattr(error.ctx, "command_path", "worldreel")
    if "unexpected extra argument" in message:
        return f"{message}: put quotes around what has spaces ({place} --help)"
    return f"{message} ({place} --help lists what there is)"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
