"""One command in several processes that torchrun started: the first runs it, the others help."""

import os
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from worldreel.errors import WorldreelError

if TYPE_CHECKING:
    from worldreel.team import Team

FAILED = 1
_team: "Team | None" = None  # of the command that runs


def count() -> int:
    """So many processes were started."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def who() -> str:
    """How a line begins that another process than the first says."""
    rank = os.environ.get("RANK", "0")
    return f"rank {rank} of {count()}: " if count() > 1 and rank != "0" else ""


def team() -> "Team | None":
    """The processes that share the work, for `engine.load`."""
    return _team


def run(command: Callable[[list[str]], int], args: list[str]) -> int:
    """A command's exit code in the first process, and in the others that of their help.

    An error is raised in the process that failed first alone, which then tells it.
    """
    global _team
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read by torch: its stacks say nothing
    try:
        ranks = import_module("worldreel.parallel").start()
    except (ValueError, RuntimeError) as error:
        if isinstance(error, WorldreelError):
            raise
        raise WorldreelError(
            f"{count()} processes did not meet ({error}): start them by"
            " `torchrun --nproc-per-node N -m worldreel ...`"
        ) from error
    with import_module("worldreel.team").Team(ranks) as joined:
        _team = joined
        try:
            if ranks.first:
                return command(args)
            warnings.simplefilter("ignore")
            joined.lend(import_module("worldreel.loading").transformers)
            return 0
        except Exception:
            if joined.channel is None or joined.channel.speaks():
                raise
            return FAILED
        except KeyboardInterrupt:
            if ranks.first:
                raise
            return FAILED
