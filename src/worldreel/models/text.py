"""marble's text encoder: a sentence becomes a fixed number of states, one per slot of the world.

The lexicon holds every word of the world's grammar in English and Chinese; a word outside it is
mapped to a near one or ignored, and both are said. Each learned slot reads the words and tells
what they state of one fact (`train.text`); its state is the fixed code of that value. So the
transformer sees the same states for the same facts, however and in whichever language they were
said, and can be trained on facts alone while the encoder goes on learning words.

Shapes: B batch, L words, M slots, D width, E width of the states.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from worldreel.models.attention import Linear, attend
from worldreel.models.presets import TextPreset

_CHUNKS = re.compile(r"[一-鿿]+|[a-z]+(?:'[a-z]+)?|[0-9]+|[^\W\d_]+")
_ENDINGS = (("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What became of a prompt's words: ids for the encoder; read, mapped and ignored for people."""

    ids: tuple[int, ...]
    read: tuple[str, ...]
    mapped: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class Lexicon:
    """The words that the encoder knows; ids start at 1, 0 is padding. Phrases match first."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        if len(set(self.words)) != len(self.words):
            raise ValueError("a word stands twice in the lexicon")
        self._id = {_plain(w): i + 1 for i, w in enumerate(self.words)}
        if len(self._id) != len(self.words):
            raise ValueError("two words of the lexicon differ in case or hyphens alone")
        self._english = [w for w in self._id if w.isascii()]
        self._longest = max((len(w.split()) for w in self._english), default=1)
        self._longest_zh = max((len(w) for w in self.words if not w.isascii()), default=1)

    def __len__(self) -> int:
        return len(self.words) + 1

    def read(self, text: str) -> Reading:
        """Split a prompt into known words, longest match first, in both languages."""
        found: list[str] = []
        mapped: dict[str, str] = {}
        ignored: list[str] = []
        pieces = _CHUNKS.findall(_plain(text))
        at = 0
        while at < len(pieces):
            piece = pieces[at]
            if "一" <= piece[0] <= "鿿":
                self._read_chinese(piece, found, ignored)
                at += 1
                continue
            for n in range(min(self._longest, len(pieces) - at), 0, -1):
                phrase = " ".join(pieces[at : at + n])
                if phrase in self._id:
                    found.append(phrase)
                    at += n
                    break
            else:
                near = self._near(piece)
                if near is None:
                    ignored.append(piece)
                else:
                    mapped[piece] = near
                    found.append(near)
                at += 1
        return Reading(
            ids=tuple(self._id[w] for w in found),
            read=tuple(found),
            mapped=mapped,
            ignored=tuple(dict.fromkeys(ignored)),
        )

    def _read_chinese(self, text: str, found: list[str], ignored: list[str]) -> None:
        at, unknown = 0, ""
        while at < len(text):
            for n in range(min(self._longest_zh, len(text) - at), 0, -1):
                if text[at : at + n] in self._id:
                    if unknown:
                        ignored.append(unknown)
                    unknown = ""
                    found.append(text[at : at + n])
                    at += n
                    break
            else:
                unknown += text[at]
                at += 1
        if unknown:
            ignored.append(unknown)

    def _near(self, word: str) -> str | None:
        for ending, instead in _ENDINGS:
            if word.endswith(ending) and len(word) > len(ending) + 2:
                stem = word[: -len(ending)] + instead
                for form in (stem, stem + "s", stem + "ing"):
                    if form in self._id:
                        return form
        for form in (word + "s", word + "ing"):
            if form in self._id:
                return form
        # A slip of the finger, not another word: "tree" is not "three", nor "leather" "weather".
        if len(word) < 6:
            return None
        alike = (w for w in self._english if w[0] == word[0] and len(w) >= 5 and _slip(word, w))
        return next(alike, None)


def _slip(typed: str, word: str) -> bool:
    """Whether one letter too many, too few, another, or two that changed places part two words."""
    at = next((i for i, (a, b) in enumerate(zip(typed, word, strict=False)) if a != b), None)
    if at is None:
        return abs(len(typed) - len(word)) == 1
    swapped = typed[at + 1 : at + 2] + typed[at] + typed[at + 2 :]
    return word[at:] in (
        typed[at + 1 :],
        word[at] + typed[at:],
        word[at] + typed[at + 1 :],
        swapped,
    )


def _plain(text: str) -> str:
    """Lower case, straight apostrophes, hyphens as spaces: "Mid-sized" is "mid sized"."""
    return text.lower().replace("’", "'").replace("-", " ")


class TextBlock(nn.Module):
    """Pre-norm attention over words and slots together."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attn = nn.LayerNorm(dim)
        self.qkv = Linear(dim, 3 * dim)
        self.out = Linear(dim, dim)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp_in = Linear(dim, 4 * dim)
        self.mlp_out = Linear(4 * dim, dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm_attn(x)).unflatten(-1, (3, self.heads, -1)).unbind(2)
        h = attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), mask)
        x = x + self.out(h.transpose(1, 2).flatten(2))
        return x + self.mlp_out(functional.gelu(self.mlp_in(self.norm_mlp(x))))


class TextEncoder(nn.Module):
    """Words in, M states out: for each slot the code of the value that its head reads.

    labels: for each slot its name and values; value 0 is "not said". Codes are no parameters: they
    follow from the names of slots and values, so that new words leave the old ones' codes alone.
    """

    codes: Tensor  # V E, the values of all slots below each other

    def __init__(
        self, preset: TextPreset, lexicon: Lexicon, labels: dict[str, tuple[str, ...]]
    ) -> None:
        super().__init__()
        if preset.slots != len(labels):
            raise ValueError(f"{preset.slots} slots for {len(labels)} labels")
        p = self.preset = preset
        self.lexicon = lexicon
        self.labels = dict(labels)
        self.counts = [len(values) for values in labels.values()]
        self.embed = nn.Embedding(len(lexicon), p.dim)
        self.place = nn.Parameter(torch.zeros(p.max_words, p.dim))
        self.slots = nn.Parameter(torch.zeros(p.slots, p.dim))
        self.blocks = nn.ModuleList(TextBlock(p.dim, p.heads) for _ in range(p.layers))
        self.norm = nn.LayerNorm(p.dim)
        self.heads = nn.ModuleList(Linear(p.dim, count) for count in self.counts)
        self.register_buffer("codes", torch.zeros(sum(self.counts), p.out_dim))

    @torch.no_grad()
    def init(self, generator: torch.Generator) -> TextEncoder:
        for name, w in self.named_parameters():
            if name in ("embed.weight", "place", "slots"):
                w.normal_(std=0.5 if name != "place" else 0.1, generator=generator)
            elif w.ndim == 2:
                w.normal_(std=w.shape[1] ** -0.5, generator=generator)
            elif name.endswith("bias"):
                w.zero_()
        e = self.preset.out_dim
        rows = [_code(slot, value, e) for slot, values in self.labels.items() for value in values]
        self.codes.copy_(torch.stack(rows))
        return self

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, list[Reading]]:
        """Padded ids B L of prompts, and what became of their words."""
        readings = [self.lexicon.read(t) for t in texts]
        limit = self.preset.max_words
        width = max(1, min(limit, max((len(r.ids) for r in readings), default=1)))
        ids = torch.zeros(len(texts), width, dtype=torch.long)
        for row, r in enumerate(readings):
            n = min(len(r.ids), width)
            ids[row, :n] = torch.tensor(r.ids[:n], dtype=torch.long)
        return ids.to(self.slots.device), readings

    def read(self, ids: Tensor) -> list[Tensor]:
        """What padded ids B L state: for each of M slots the logits of its values, B v."""
        b, n = ids.shape
        words = self.embed(ids) + self.place[:n]
        x = torch.cat([self.slots.expand(b, -1, -1), words], dim=1)  #      B M+L D
        seen = torch.ones(b, self.preset.slots, dtype=torch.bool, device=ids.device)
        mask = torch.cat([seen, ids > 0], dim=1)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x[:, : self.preset.slots])
        return [head(x[:, i]) for i, head in enumerate(self.heads)]

    def states(self, logits: Sequence[Tensor]) -> Tensor:
        """M E for each of B: a slot's codes by how likely each is, B M E."""
        pairs = zip(logits, self.codes.split(self.counts), strict=True)
        return torch.stack([x.softmax(-1) @ codes for x, codes in pairs], dim=1)

    def stated(self, values: Tensor) -> Tensor:
        """States of facts that are known: a value's number for each slot, B M to B M E."""
        first = torch.tensor([0, *self.counts[:-1]], device=values.device).cumsum(0)
        return self.codes[first + values]

    def forward(self, ids: Tensor) -> Tensor:
        """States of padded ids B L: B M E; of unit mean square where the reading is sure."""
        return self.states(self.read(ids))

    @torch.no_grad()
    def facts(self, logits: Sequence[Tensor]) -> dict[str, str]:
        """The facts that one prompt's logits (M times 1 v) state; unsaid slots are left out."""
        said = {}
        for (name, values), x in zip(self.labels.items(), logits, strict=True):
            choice = int(x[0].argmax())
            if choice:
                said[name] = values[choice]
        return said


def _code(slot: str, value: str, width: int) -> Tensor:
    """A fixed random code of mean square 1: half the slot's own, half the value's.

    What is said of a second thing differs from the first only by the half of the slot.
    """
    halves = (slot, f"{slot.rstrip('0123456789')}={value}")
    seeds = (zlib.crc32(half.encode()) for half in halves)
    drawn = [torch.randn(width, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return functional.rms_norm(drawn[0] + drawn[1], (width,))
