"""Prompts on their way to the transformer: what they say, and what they become.

`read` turns words into states, and says what became of each word. `rewrite` turns a short prompt
into the kind of caption that the model was trained on; a `Chat` asks a language model for one.

Reading costs little to import; what writes brings the world's words along, and comes when asked.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from worldreel.prompt.reading import Prompt, hear, heard, read, rewriter

if TYPE_CHECKING:
    from worldreel.prompt.chat import Chat
    from worldreel.prompt.rewriting import Rewriter, Rewritten, rewrite

__all__ = [
    "Chat",
    "Prompt",
    "Rewriter",
    "Rewritten",
    "hear",
    "heard",
    "read",
    "rewrite",
    "rewriter",
]

_HOMES = {"Chat": "chat", "Rewriter": "rewriting", "Rewritten": "rewriting", "rewrite": "rewriting"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'worldreel.prompt' has no attribute {name!r}")
    return getattr(import_module(f"worldreel.prompt.{_HOMES[name]}"), name)
