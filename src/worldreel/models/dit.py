"""The transformer over spacetime patches: (content, level, position) and words in, velocity out.

It sees a bag of tokens and knows nothing of pixels, samplers, guidance, devices or ranks. What is
kept is seen once (`remember`), chunk by chunk; painted tokens attend to it and to each other.

Shapes: B batch, N tokens, K levels, L words, D width, E text width, C latent channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from worldreel.models import rowwise
from worldreel.models.attention import (
    CrossAttention,
    Linear,
    SelfAttention,
    attend,
    attend_ring,
    rotary,
    with_gelu,
)
from worldreel.models.presets import DitPreset
from worldreel.models.rowwise import rotate
from worldreel.models.vace import Vace

Rope = tuple[Tensor, Tensor]
Heard = Sequence[tuple[Tensor, Tensor, Tensor | None, int | None]]  # keys, values, mask, tokens
Past = tuple[Tensor, Tensor, Rope]  # keys before rotation, values, the keys' angles
Around = tuple[Tensor, Tensor, int, int]  # positions of queries, of keys, period, references


@dataclass(frozen=True, kw_only=True)
class Read:
    """Words as every block's keys and values, and how many painted tokens read them."""

    keys: list[Tensor]  # layers of B H L d, and after these VACE's blocks
    values: list[Tensor]
    mask: Tensor | None  # B L
    tokens: int | None = None  # None: all

    def layer(self, i: int) -> tuple[Tensor, Tensor, Tensor | None, int | None]:
        return self.keys[i], self.values[i], self.mask, self.tokens


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is kept, as every block's keys (before rotation) and values, and where it is."""

    keys: list[Tensor]  # layers of B H M d
    values: list[Tensor]
    pos: Tensor  # B M 3

    def shown(self, count: int) -> Context:
        """For the branches of guidance: computed once, shown to each."""
        return Context(
            keys=[k.repeat(count, 1, 1, 1) for k in self.keys],
            values=[v.repeat(count, 1, 1, 1) for v in self.values],
            pos=self.pos.repeat(count, 1, 1),
        )


_LEAST = 0.05  # level below which a velocity is not divided out of clean latents


def modulated(x: Tensor, shift: Tensor, scale: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """The layer norm of x, scaled and shifted, in fp32, as dtype; shift and scale are B 1|N D."""
    if shift.shape[1] == 1:
        return rowwise.layer_norm(x, 1 + scale, shift, eps, dtype)
    y = functional.layer_norm(x, x.shape[-1:], eps=eps)
    return torch.addcmul(shift, y, 1 + scale).to(dtype)


def sinusoids(level: Tensor, dim: int) -> Tensor:
    """Cosines then sines of 1000 times a level, as in Wan: ... -> ... dim."""
    half = dim // 2
    rate = torch.arange(half, dtype=torch.float64, device=level.device) / half
    angle = 1000.0 * level[..., None].double() * torch.exp(-math.log(10000.0) * rate)
    return torch.cat([angle.cos(), angle.sin()], dim=-1).float()


class Block(nn.Module):
    """Wan's block: self-attention, cross-attention, MLP, six modulation vectors from the level."""

    def __init__(self, p: DitPreset) -> None:
        super().__init__()
        self.eps = p.eps
        self.self_attn = SelfAttention(p.dim, p.heads, p.eps)
        self.cross_attn = CrossAttention(p.dim, p.heads, p.eps)
        self.norm = nn.LayerNorm(p.dim, eps=p.eps)
        self.mlp_in = Linear(p.dim, p.mlp)
        self.mlp_out = Linear(p.mlp, p.dim)
        self.table = nn.Parameter(torch.zeros(1, 6, p.dim))

    def forward(
        self,
        x: Tensor,  #                       B N D, fp32
        mod: Tensor,  #                     B 1|N 6 D
        rope: Rope,  #                      B N d/2 each
        heard: Heard,
        dtype: torch.dtype,
        chunks: tuple[int, ...] = (),  #    kept tokens: who sees whom
        past: Past | None = None,  #        painted tokens: what is kept
        around: Around | None = None,
        keep: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """The stream after this block and, to keep, its tokens' keys (before rotation) and values.

        No product is held longer than it is needed, and without a gradient x is written over: what
        is freed here bounds the memory, and fresh pages cost more than what is added.
        """
        m = (self.table[:, None] + mod).unbind(2)  #                         6 of B 1|N D
        q, k, v = self.self_attn.project(  #                                 B H N d
            modulated(x, m[0], m[1], self.eps, dtype)
        )
        kept = (k, v) if keep else None
        if around is not None:
            old_k, old_v = (k[:, :, :0], v[:, :, :0]) if past is None else past[:2]
            keys, values = torch.cat([k, old_k], dim=2), torch.cat([v, old_v], dim=2)
            h = attend_ring(q, keys, values, *around)
        else:
            q = rotate(q, rope)
            k = rotate(k, rope)
            if chunks:
                h = _by_chunk(q, k, v, chunks)
            elif past is not None:
                k, v = torch.cat([rotate(past[0], past[2]), k], dim=2), torch.cat([past[1], v], 2)
                h = attend(q, k, v)
            else:
                h = attend(q, k, v)
        del q, k, v
        x = rowwise.gated(x, m[2], self.self_attn.merge(h))
        h = rowwise.layer_norm(
            x, self.norm.weight[None, None], self.norm.bias[None, None], self.eps, dtype
        )
        said, start = [], 0
        for words_k, words_v, mask, tokens in heard:
            stop = h.shape[1] if tokens is None else start + tokens
            said.append(self.cross_attn(h[:, start:stop], words_k, words_v, mask))
            start = stop
        h = said[0] if len(said) == 1 else torch.cat(said, dim=1)
        x = x.add_(h) if rowwise.unrecorded() else x + h
        del said
        h = modulated(x, m[3], m[4], self.eps, dtype)
        h = with_gelu(self.mlp_in, h)
        h = self.mlp_out(h)
        return rowwise.gated(x, m[5], h), kept


def _by_chunk(q: Tensor, k: Tensor, v: Tensor, chunks: tuple[int, ...]) -> Tensor:
    """Each chunk of kept tokens attends to itself alone; equal chunks in one call."""
    b, heads, n, d = q.shape
    if len(set(chunks)) == 1:
        size = chunks[0]
        parts = (
            x.reshape(b, heads, n // size, size, d).transpose(1, 2).reshape(-1, heads, size, d)
            for x in (q, k, v)
        )
        out = attend(*parts)
        return out.reshape(b, n // size, heads, size, d).transpose(1, 2).reshape(b, heads, n, d)
    split = zip(*(x.split(chunks, dim=2) for x in (q, k, v)), strict=True)
    return torch.cat([attend(*part) for part in split], dim=2)


class DiT(nn.Module):
    """See the module's docstring. Computes in `dtype`; the residual stream is always fp32."""

    def __init__(self, preset: DitPreset, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        p = self.preset = preset
        if p.predicts not in ("v", "x"):
            raise ValueError(f"a transformer predicts {p.predicts!r}: give v or x")
        self.dtype = dtype
        area = p.patch**2
        self.patch_in = Linear(p.channels * area, p.dim)
        self.text_in = nn.Sequential(
            Linear(p.text_dim, p.dim), nn.GELU(approximate="tanh"), Linear(p.dim, p.dim)
        )
        self.level_in = nn.Sequential(Linear(p.level_dim, p.dim), nn.SiLU(), Linear(p.dim, p.dim))
        self.level_out = Linear(p.dim, 6 * p.dim)
        self.target_in = (
            nn.Sequential(Linear(p.level_dim, p.dim), nn.SiLU(), Linear(p.dim, p.dim))
            if p.target
            else None
        )
        self.null_word = nn.Parameter(torch.zeros(1, 1, p.text_dim)) if p.null_word else None
        self.blocks = nn.ModuleList(Block(p) for _ in range(p.layers))
        self.vace = Vace(p, Block) if p.control else None
        self.table = nn.Parameter(torch.zeros(1, 2, p.dim))
        self.head = Linear(p.dim, (p.out_channels or p.channels) * area)

    @property
    def all_blocks(self) -> list[nn.Module]:
        """Its own blocks and VACE's, in the order of their use."""
        blocks = list(self.blocks)
        if self.vace is not None:
            for layer, block in [*zip(self.vace.layers, self.vace.blocks, strict=True)][::-1]:
                blocks.insert(layer + 1, block)
        return blocks

    @torch.no_grad()
    def init(self, generator: torch.Generator) -> DiT:
        """Fresh weights. Modulation and the head start at zero, so every block starts as identity
        (adaLN-zero, Peebles and Xie 2212.09748)."""
        for name, w in self.named_parameters():
            zero = name.startswith(("level_out.", "head.")) or name.endswith((".bias", "table"))
            zero = zero or name.startswith("target_in.2.")
            if zero:
                w.zero_()
            elif w.ndim == 2:
                w.normal_(std=w.shape[1] ** -0.5, generator=generator)
            elif name == "null_word":
                w.normal_(std=0.5, generator=generator)
        return self

    def read(
        self, groups: Sequence[tuple[int | None, Tensor | None, Tensor | None]], batch: int
    ) -> list[Read]:
        """Words as keys and values of every block, once for all steps.

        groups: (painted tokens that read them or None for all, states B L E or None, mask B L or
        None), in order of time. The null word, where the preset has one, covers all time.
        """
        out = []
        for tokens, states, mask in groups:
            parts, masks = [], []
            if self.null_word is not None:
                parts.append(self.null_word.expand(batch, -1, -1))
                masks.append(torch.ones(batch, 1, dtype=torch.bool, device=self.null_word.device))
            if states is not None:
                parts.append(states)
                whole = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
                masks.append(whole if mask is None else mask)
            if not parts:
                raise ValueError("no words: this preset has no null word, so it needs a prompt")
            needs_mask = mask is not None
            h = self.text_in(torch.cat(parts, dim=1).to(self.dtype))
            read = {block: block.cross_attn.read(h) for block in self.all_blocks}  # type: ignore[operator]
            own = [*self.blocks, *(self.vace.blocks if self.vace is not None else ())]
            out.append(
                Read(
                    keys=[read[block][0] for block in own],
                    values=[read[block][1] for block in own],
                    mask=torch.cat(masks, dim=1) if needs_mask else None,
                    tokens=tokens,
                )
            )
        return out

    def _levels(self, level: Tensor, target: Tensor | None) -> tuple[Tensor, Tensor]:
        h = self.level_in(sinusoids(level, self.preset.level_dim))  #        B K D
        if self.target_in is not None and target is not None:
            h = h + self.target_in(sinusoids(level - target, self.preset.level_dim))
        # in the type that it is stored in, as its makers do: a copy in fp32 would be its double
        six = self.level_out(functional.silu(h).to(self.level_out.weight.dtype)).float()
        return h, six.unflatten(-1, (6, -1))  #                              B K D, B K 6 D

    def remember(
        self, x: Tensor, level: Tensor, which: Tensor, pos: Tensor, *, chunks: tuple[int, ...]
    ) -> Context:
        """Keys and values of kept tokens: x B N C, level B K, which B N, pos B N 3.

        Each chunk sees itself and the null word only, so this depends on nothing that is painted,
        said or guided.
        """
        _, six = self._levels(level, level)
        mod = _gather(six, which)
        words = self.read([(None, None, None)], x.shape[0])
        rope = rotary(pos, self.preset.dim // self.preset.heads)
        h = self.patch_in(x.to(self.dtype)).float()
        keys, values = [], []
        for i, block in enumerate(self.blocks):
            heard = [w.layer(i) for w in words]
            h, kept = block(h, mod, rope, heard, self.dtype, chunks, None, None, True)
            keys.append(kept[0])
            values.append(kept[1])
        return Context(keys=keys, values=values, pos=pos)

    def forward(
        self,
        x: Tensor,  #                  B N C
        level: Tensor,  #              B K
        target: Tensor,  #             B K
        which: Tensor,  #              B N
        pos: Tensor,  #                B N 3
        words: Sequence[Read],
        *,
        context: Context | None = None,
        ring: int | None = None,
        through: Tensor | None = None,
        control: Tensor | None = None,
    ) -> Tensor:
        """The velocity of painted tokens.

        control: B N C, tokens of the clip that VACE's blocks follow.
        through: B n, in order, which tokens go through all blocks; the others pass by all but the
        first and the last, and are not seen there (in training alone: TREAD, 2501.04765).
        """
        assert through is None or (ring is None and all(w.tokens is None for w in words))
        head_dim = self.preset.dim // self.preset.heads
        emb, six = self._levels(level, target)  #                            B K D, B K 6 D
        mod = _gather(six, which)  #                                         B 1|N 6 D
        rope = rotary(pos, head_dim)
        past_rope, around = None, None
        if context is not None:
            past_rope = rotary(context.pos, head_dim)
        if ring is not None:
            where, still = pos, 0
            if context is not None:  # references come last in what is kept, and do not wrap
                where = torch.cat([pos, context.pos], dim=1)
                still = int((context.pos[0, :, 0] < 0).sum())
            around = (pos, where, ring, still)
        h = self.patch_in(x.to(self.dtype)).float()  #                       B N D
        waiting = h if through is not None else None
        full = thin = (mod, rope)
        beside = None  #                                                     VACE's stream, B N D
        if self.vace is not None and control is not None:
            beside = self.vace.begin(control.to(self.dtype), h)
        end = len(self.blocks) - 1
        middle = range(1, end) if through is not None else range(0)
        if through is not None:
            thin = (_rows(mod, through), (_rows(rope[0], through), _rows(rope[1], through)))
        for i, block in enumerate(self.blocks):
            if through is not None and middle and i == 1:
                waiting, h = h, _rows(h, through)
            elif through is not None and waiting is not None and middle and i == end:
                h = waiting.scatter(1, through[..., None].expand_as(h), h)
            past = None
            if context is not None and past_rope is not None:
                past = (context.keys[i], context.values[i], past_rope)
            heard = [w.layer(i) for w in words]
            mod, rope = thin if i in middle else full
            h = block(h, mod, rope, heard, self.dtype, (), past, around)[0]
            if self.vace is not None and beside is not None and i in self.vace.layers:
                place = self.vace.layers.index(i)
                heard = [w.layer(len(self.blocks) + place) for w in words]
                beside = self.vace.blocks[place](beside, mod, rope, heard, self.dtype)[0]
                h = h + self.vace.hint(place, beside, self.dtype)
        last = self.table[:, None] + _gather(emb, which)[:, :, None]  #      B 1|N 2 D
        h = modulated(h, last[:, :, 0], last[:, :, 1], self.preset.eps, self.dtype)
        out = self.head(h).float()  #                         B N C
        if self.preset.predicts == "v":
            return out
        return (x - out) / _gather(level, which)[..., None].clamp_min(_LEAST)

    def flops(self, tokens: int, words: int, *, through: int | None = None) -> float:
        """Floating-point operations of one clip's forward pass, its words read anew.

        2 per multiply-add, products of matrices alone; all tokens are painted, at one level, and
        read the same words, to which the null word is added. through: as many tokens alone go
        through the middle blocks.
        """
        p, d, n = self.preset, self.preset.dim, tokens
        m = words + (self.null_word is not None)
        level = (p.level_dim * d + d * d) * (2 if self.target_in is not None else 1) + 6 * d * d
        text = m * (p.text_dim * d + d * d)
        middle = n if through is None else through
        blocks = 0
        for i in range(p.layers):
            k = middle if 0 < i < p.layers - 1 else n
            attention = 4 * k * d * d + 2 * k * k * d  #     q k v out; scores and their sums
            cross = 2 * k * d * d + 2 * m * d * d + 2 * k * m * d
            blocks += attention + cross + 2 * k * d * p.mlp
        ends = n * d * (p.channels + (p.out_channels or p.channels)) * p.patch**2
        return 2.0 * (level + text + blocks + ends)


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows of B N ... by B n; a single row is left to broadcast."""
    if x.shape[1] == 1:
        return x
    wide = index.reshape(*index.shape, *(1,) * (x.ndim - 2))
    return x.expand(len(index), *x.shape[1:]).gather(1, wide.expand(*index.shape, *x.shape[2:]))


def _gather(table: Tensor, which: Tensor) -> Tensor:
    """Rows of B K ... by B N; a single row is left to broadcast."""
    if table.shape[1] == 1:
        return table
    index = which.reshape(*which.shape, *(1,) * (table.ndim - 2))
    return table.gather(1, index.expand(*which.shape, *table.shape[2:]))
