"""Prompts on their way to the transformer: what they say, and what they become.

`read` turns words into states, and says what became of each word. `rewrite` turns a short prompt
into the kind of caption that the model was trained on; a `Chat` asks a language model for one.
"""

from worldreel.prompt.chat import Chat
from worldreel.prompt.reading import Prompt, hear, read
from worldreel.prompt.rewriting import Rewriter, Rewritten, rewrite, rewriter

__all__ = ["Chat", "Prompt", "Rewriter", "Rewritten", "hear", "read", "rewrite", "rewriter"]
