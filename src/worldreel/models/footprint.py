"""What networks weigh and what is alive while they work, in bytes, without building or running any.

Weights are counted on networks that have shapes and no numbers. What is alive at the fullest
instant is counted from the code of `dit`, `attention` and the decoders, term by term as said beside
each; the tests hold it to what processes really take. Two constants were measured: `_WRITER` and
`_LIBRARY`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import nn

from worldreel.models.compressor import FRAMES, STRIDE, Compressor
from worldreel.models.dit import DiT
from worldreel.models.presets import CompressorPreset, DitPreset, WanVaePreset
from worldreel.models.wan_vae import ABREAST, WanVae

_FP32 = 4  # bytes: the residual stream, norms, angles and latents are always fp32
_PIXELS = 3 * FRAMES * STRIDE**2  # of one of marble's latents
# Bytes for a pixel of one frame: what x264 holds of a film, and a frame on its way to YUV. 113 to
# 124 were measured at 416x240 to 832x480; it does not grow with the length.
_WRITER = 120
# What a library of products makes for the sizes that it meets, its code and its room: 4 to 8 MiB
# were measured of oneDNN at widths from 192 to 1536, in float32 and bfloat16; it is the most.
_LIBRARY = 8 << 20
# Tensors of a clip's latents: known, noise, x, a velocity of each branch and their sum, and three
# that UniPC remembers. What VACE follows is one more, of its own channels.
_LATENTS = 9


@dataclass(frozen=True, kw_only=True)
class Words:
    """A text encoder: `table` is how many of its parameters are looked up and not multiplied."""

    params: int
    table: int
    layers: int
    mlp: int
    dim: int
    heads: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is made: clips of so many latents, of so many latents high and wide.

    into: where finished frames go: "memory", a "file" as they come, or "" for what is none of this
    device's.
    """

    latents: int
    height: int
    width: int
    clips: int = 1
    into: str = "memory"

    def tokens(self, patch: int) -> int:
        """Of one clip."""
        return self.latents * (self.height // patch) * (self.width // patch)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """In what is computed, and what weights are kept in. levels: different ones among tokens.

    rowwise: what stands between products takes some rows at a time, as it does on a CPU.
    """

    dtype: torch.dtype
    stored: torch.dtype
    guided: bool = True
    levels: int = 1
    rowwise: bool = False


@dataclass(frozen=True, kw_only=True)
class Count:
    """Numbers in a network, in one of its blocks, in that block's matrices, of so many rows, and in
    the largest of them."""

    all: int
    block: int
    blocks: int
    matrices: int = 0
    rows: int = 0
    largest: int = 0

    def nbytes(self, stored: torch.dtype, *, bits8: bool) -> tuple[int, int]:
        """Bytes of the network and of a block. bits8: its matrices in 8 bits, a scale for a row."""
        block = stored.itemsize * self.block
        if bits8:
            block += self.matrices * (1 - stored.itemsize) + _FP32 * self.rows
        return stored.itemsize * (self.all - self.blocks * self.block) + self.blocks * block, block


@functools.cache
def params_of(preset: DitPreset | CompressorPreset | WanVaePreset) -> Count:
    """What a network weighs; one without blocks is a block."""
    kinds = {DitPreset: DiT, CompressorPreset: Compressor, WanVaePreset: WanVae}
    with torch.device("meta"):
        model = kinds[type(preset)](preset)
    total = sum(x.numel() for x in model.state_dict().values())
    if not isinstance(model, DiT):
        return Count(all=total, block=total, blocks=1)
    layers = [m.weight for m in model.blocks[0].modules() if isinstance(m, nn.Linear)]
    return Count(
        all=total,
        block=sum(x.numel() for x in model.blocks[0].state_dict().values()),
        blocks=len(model.all_blocks),
        matrices=sum(w.numel() for w in layers),
        rows=sum(len(w) for w in layers),
        largest=max(w.numel() for w in layers),
    )


def reading(words: Words, how: Numbers) -> int:
    """A text encoder at work on one prompt: scores and their softmax, a layer's stream and MLP."""
    scores = 2 * _FP32 * words.heads * words.tokens**2
    row = 2 * _FP32 * words.dim + how.dtype.itemsize * (4 * words.dim + 3 * words.mlp)
    return scores + row * words.tokens


def painting(p: DitPreset, words: Words, shape: Shape, how: Numbers, *, together: bool) -> int:
    """A step of a sampler: the words' keys and values, the latents, and a forward of the DiT.

    together: both branches of guidance are one batch, else one after the other.
    """
    e, branches = how.dtype.itemsize, 2 if how.guided else 1
    tokens = shape.clips * shape.tokens(p.patch)
    layers = p.layers + len(p.control)
    read = branches * shape.clips * layers * 2 * e * p.dim * (words.tokens + p.null_word)
    latents = _FP32 * tokens * (_LATENTS * p.channels + p.control_channels) * p.patch**2
    return read + latents + forward(p, tokens * (branches if together else 1), how)


def forward(p: DitPreset, rows: int, how: Numbers) -> int:
    """One forward of the transformer over so many tokens: `DiT.forward` and `Block.forward`."""
    d, e = p.dim, how.dtype.itemsize
    held = _FP32 * d  #                         the stream
    held += _FP32 * d // p.heads  #             cosines and sines, of half a head each
    held += _FP32 * p.channels * p.patch**2  #  the tokens
    if p.control:  #                            control tokens, and VACE's stream
        held += _FP32 * (p.control_channels * p.patch**2 + d)
    if how.levels > 1:
        held += 2 * 6 * _FP32 * d  #            modulation of each token, and the block's own
    fine = 0 if how.rowwise else _FP32 * d  #   all tokens in fp32, halfway
    up = 0 if how.dtype == torch.float32 else fine  # a copy in fp32, where it is none yet
    said = e * d  #                             what the words answer
    stages = (
        5 * e * d + up + 2 * fine,  #           q, k and v as one, q normed; k in fp32, halfway, out
        6 * e * d,  #                           q and k, and v on its own, beside them as one
        4 * e * d + 2 * fine + up,  #           q, k, v; q turned in halves, and joined
        5 * e * d,  #                           q, k, v, q scaled, and what comes of them
        said + 2 * up + e * d,  #               the norm before the MLP
        e * p.mlp + e * d,  #                   the MLP, GELU in place
    )
    # a matrix that is stored otherwise is made anew in `dtype` for its product
    cast = e if how.stored.itemsize != e else 0
    products = (
        rows * (held + 4 * e * d) + cast * 3 * d * d,
        rows * (held + said + e * p.mlp) + cast * d * p.mlp,
    )
    # levels are fp32, and so is then what modulation is made with
    levels = 0 if how.stored == torch.float32 else 6 * _FP32 * d * d
    return max(rows * (held + max(stages)), *products, levels) + _LIBRARY


def decoding(
    vae: CompressorPreset | WanVaePreset,
    shape: Shape,
    how: Numbers,
    at_once: int,
    tile: int | None = None,
) -> int:
    """A decode of so many latents at a time, and the frames that it has given.

    tile: it decodes squares of so many latents.
    """
    part = min(at_once, shape.latents)
    high, wide = (side if tile is None else min(tile, side) for side in (shape.height, shape.width))
    area = high * wide
    if isinstance(vae, WanVaePreset):
        frames, stride = vae.frames, vae.stride
        blended = 9 * _FP32 * frames * part * area * stride**2 if tile is not None else 0
        work = blended + _causal(vae, part, area, how)
    else:
        frames, stride = FRAMES, STRIDE
        pixels = _FP32 * at_once * area * _PIXELS
        # the part before is still looked at, as fp32 and as bytes
        before = pixels + pixels // _FP32 if shape.latents > at_once else 0
        work = before + _folded(vae, at_once * area, how)
    picture = shape.height * shape.width * stride**2
    kept = {"memory": 3 * frames * shape.latents * picture, "": 0}
    # squares are put together first; of other parts, copies are on their way
    pieces = shape.latents if area < shape.height * shape.width else part
    kept["file"] = (3 * frames * (pieces + 2 * part) + _WRITER) * picture
    return shape.clips * (work + kept[shape.into]) + _LIBRARY


def _folded(p: CompressorPreset, cells: int, how: Numbers) -> int:
    """`Compressor.decode` of so many latents' cells; a last part is filled up to its length."""
    pixels = _FP32 * cells * _PIXELS
    fine = how.dtype.itemsize * cells * 16 * p.fine
    coarse = how.dtype.itemsize * cells * p.coarse + 4 * _FP32 * cells * p.channels
    skip = 2 * pixels  # its patches, and they as pictures
    block = 5 * fine  #  what the stage was given, x, x and h activated, what is added
    end = 2 * pixels  #  the network's pixels, and the sum
    if p.moves:  #       where they come from (a third of that twice over), and they when moved
        end += 2 * pixels
    return skip + max(block, end) + coarse


def _causal(v: WanVaePreset, latents: int, area: int, how: Numbers) -> int:
    """`WanVae` on a piece: frames held for the next piece, the room all layers share, a stage."""
    widths, temporal = v.widths[::-1], v.temporal[::-1]  # from the coarsest on
    top = widths[0] * v.decoder
    held = 2 * area * (v.channels + 4 * top)  # two frames of each layer's input; middle: four
    frames, given = latents, top
    room = (2 + frames) * top * area
    work = waiting = 0
    for i, multiple in enumerate(widths):
        width = multiple * v.decoder
        if i == len(widths) - 2 and not temporal[-1]:  # from here on some at a time
            waiting = frames * area * given
            frames = min(frames, ABREAST)
        held += 2 * area * (given + (2 * v.blocks + 1) * width)
        room = max(room, (2 + frames) * max(given, width) * area)
        size = frames * area
        blocks = size * (given + 4 * width)  # its input, x, half way, what is added and its copy
        work = max(work, waiting + blocks)
        if i < len(temporal):
            after = width if v.residual else width // 2
            held += 2 * area * width * temporal[i]
            larger = 4 * (2 if temporal[i] else 1) * size
            doubled = size * (given + width) + larger * (width // 4 + 2 * after)
            work = max(work, waiting + doubled)
            frames, area, given = frames * (2 if temporal[i] else 1), 4 * area, after
    held += 2 * area * widths[-1] * v.decoder
    pixels = 3 * v.patch**2 * v.frames * latents * area
    # folded and in order, in fp32 while it is made bytes, and they, with those of the part before
    bytes_out = how.dtype.itemsize * pixels + (_FP32 + 2) * pixels
    return how.dtype.itemsize * (held + room + work) + bytes_out
