"""How far a long job has come: a function that is told each step of each of its stages."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # stage, done, total


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
