"""What some public weights are shown of pictures and clips, in channels beside the latents.

I2V-A14B    for each latent, which of its four frames are known (4 channels), and the latents of
            those frames, mid-gray where nothing is known
VACE        latents of what is known, and of what is to change, each mid-gray elsewhere, and the
            mask at full size, folded (64 channels); references are latents before the clip's

The window is shown as a clip of its own, whose first latent is one frame, as in training. All of it
is painted, what is known too, and then what the canvas keeps is put back, bit for bit. A picture
after the first frame is one frame to these models: the other three of its latent are painted.

Sources: Wan 2503.20314, section 5.1; VACE 2503.07598. Shapes: F frames, H W pixels, B = 1,
C channels, T h w latents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from worldreel import montage, pictures
from worldreel.canvas import Canvas
from worldreel.models.compressor import FRAMES
from worldreel.progress import Progress

if TYPE_CHECKING:
    from worldreel.montage import Encode
    from worldreel.public import Public
    from worldreel.request import Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Frames of a window, 4T H W 3 uint8, and which pixels are known: 4T H W or 4T 1 1, bool.

    The first four are the first frame. references: F H W 3 uint8.
    """

    frames: np.ndarray
    known: np.ndarray
    references: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """The canvas that is painted, and the channels beside it, 1 C T h w, where a model has any.

    first: latents before the clip's own. window: what was asked for.
    """

    board: Canvas
    window: Canvas
    channels: Tensor | None = None
    first: int = 0

    def kept(self, painted: Tensor) -> Tensor:
        """The clip's own latents, with those that are kept as they were."""
        own = painted[:, :, self.first :]
        return torch.where(self.window.kept, self.window.known.to(own), own)


def derive(
    public: Public | None, made: Plan, board: Canvas, encode: Encode, told: Progress
) -> View:
    """What is shown of a plan, whose canvas is `board`."""
    if public is None or not public.sees_pixels:
        window = montage.shown(board, made.timeline.window)
        return View(board=window, window=window)
    freedom = public.one_freedom(board)
    window = montage.shown(_loose(board, made), made.timeline.window)
    seen = seen_of(made)
    channels, known = CHANNELS[public.model.pictures](seen, encode, told), window.known
    refs = [encode(np.repeat(one[None], FRAMES, 0)) for one in seen.references]
    if refs:
        before = torch.cat(refs, dim=2)
        channels = torch.cat([_beside(before, channels.shape[1]), channels], dim=2)
        known = torch.cat([before.to(known), known], dim=2)
    free = torch.full_like(known[:, :1], freedom)
    whole = Canvas(known=known, freedom=free)
    return View(board=whole, window=window, channels=channels, first=len(refs))


def _loose(board: Canvas, made: Plan) -> Canvas:
    """The canvas with the latents of pictures after the first left free."""
    later = [k.latent for k in made.timeline.keyframes if k.latent]
    freedom = board.freedom.clone()
    freedom[:, :, later] = 1
    return replace(board, freedom=freedom)


def seen_of(made: Plan) -> Seen:
    """What a plan knows of the frames in its window."""
    start, count = made.timeline.window
    frames, there = montage.laid(made)
    known = there[:, None, None] & ~montage.free(made)
    for keyframe in made.timeline.keyframes:
        picture = pictures.read_image(keyframe.picture)
        at = FRAMES * keyframe.latent + FRAMES - 1  # the frame that was asked for ends its latent
        frames[at] = pictures.fitted(picture, (made.width, made.height))[0]
        known[at] = True
    span = slice(FRAMES * start, FRAMES * (start + count))
    frames, known = frames[span].copy(), known[span].copy()
    frames[: FRAMES - 1], known[: FRAMES - 1] = frames[FRAMES - 1], known[FRAMES - 1]
    size = made.width, made.height
    shown = [pictures.whole(pictures.read_image(one), size) for one in made.references]
    none = np.empty((0, made.height, made.width, 3), np.uint8)
    return Seen(frames=frames, known=known, references=np.stack(shown) if shown else none)


def of_first(seen: Seen, encode: Encode, told: Progress) -> Tensor:
    """I2V's channels: 4 of which frames are known, and the latents of these."""
    whole = seen.known.all((1, 2), keepdims=True)  # 4T 1 1
    latents = encode(seen.frames, told=told, where=whole)
    mask = rearrange(torch.from_numpy(whole).to(latents), "(t f) 1 1 -> 1 f t 1 1", f=FRAMES)
    return torch.cat([mask.expand(-1, -1, -1, *latents.shape[3:]), latents], dim=1)


def of_control(seen: Seen, encode: Encode, told: Progress) -> Tensor:
    """VACE's channels: latents of what is known, of what is to change, and the mask, folded.

    Where something is to change, nothing is known of it, and its latents are those of mid-gray.
    """
    f, height, width = seen.frames.shape[:3]
    known = np.broadcast_to(seen.known, (f, height, width))
    kept = encode(seen.frames, told=told, where=known)
    gray = encode(seen.frames, told=told, where=np.zeros((f, 1, 1), bool))
    stride = height // kept.shape[3]
    frames = torch.arange(f - FRAMES + 1.0) + FRAMES - 1  # a first latent is one frame
    at = functional.interpolate(frames[None, None], size=kept.shape[2], mode="nearest-exact")
    mask = torch.from_numpy(~known[at.flatten().long().numpy()]).to(kept)
    folded = rearrange(mask, "t (h p) (w q) -> 1 (p q) t h w", p=stride, q=stride)
    return torch.cat([kept, gray, folded], dim=1)


CHANNELS = {"first": of_first, "control": of_control}


def _beside(latents: Tensor, channels: int) -> Tensor:
    """VACE's channels of references: they are known, and nothing of them is to change."""
    b, c, t, h, w = latents.shape
    return torch.cat([latents, latents.new_zeros(b, channels - c, t, h, w)], dim=1)
