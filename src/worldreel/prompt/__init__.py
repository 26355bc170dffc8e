"""Prompts on their way to the transformer: what they say, and what they become.

`read` turns words into states, and says what became of each word. `rewrite` turns a short prompt
into the kind of caption that the model was trained on; `chat.Chat` asks a language model for one.
"""

from worldreel.prompt.reading import Prompt, read
from worldreel.prompt.rewrite import Rewritten, rewrite

__all__ = ["Prompt", "Rewritten", "read", "rewrite"]
