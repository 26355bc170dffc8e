"""MuJoCo's classes come from a compiled module that has no types: all of them are Any."""

from typing import Any

def __getattr__(name: str) -> Any: ...
