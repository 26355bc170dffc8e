"""Which move a camera makes: named by a small net from the background's flow and the things.

What it looks at is plain: how far each band of the background goes in each third of the clip, how
much texture that was read from, how far the largest things go in the picture, which a camera that
follows keeps where they are, and the setting, whose sea or weed may move by itself. Renders alone
taught it (`recipes/moves.py`).
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from worldreel import checkpoint
from worldreel.errors import CheckpointError
from worldreel.eval.eye import setting_shares
from worldreel.eval.flow import EDGES
from worldreel.eval.known import SETTINGS
from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body
from worldreel.eval.tracks import SPANS
from worldreel.world.scene import CAMERAS, OTHER_SIDE

PACKAGED = Path(__file__).parents[1] / "weights" / "moves"
KIND = "moves"
BANDS = len(EDGES) - 1
THINGS = 2  # the largest, that it looks at
GROUPS = (SPANS + 1) * BANDS + THINGS  # of four: right, down, apart or nearer, and how plain
INPUTS = 4 * GROUPS + len(SETTINGS)
DARK = 1e-3  # the texture of a background that shows nothing


class Moves(nn.Module):
    """Names a camera's move from its features."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(INPUTS, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, len(CAMERAS)),
        )

    def forward(self, features: Tensor) -> Tensor:  # N INPUTS -> N CAMERAS
        return self.net(features)


def camera(look: Look) -> Answer:
    """One of CAMERAS, or None where the background shows nothing."""
    flow = look.flow
    if not len(flow.motion) or float(flow.clear.mean()) < DARK:
        return Answer(value=None)
    if flow.stands:
        return Answer(value="static", figures={"sure": 1.0})
    given = features(look)
    net = load()
    with torch.inference_mode():
        # The mirrored twin must be read as the twin: both are asked, and the answers joined.
        named = net(torch.stack([given, mirrored(given)]))
        if not look.bodies:  # there is nothing that it could follow
            named[:, CAMERAS.index("follow")] = -torch.inf
        here, there = named.softmax(1)
    swapped = [CAMERAS.index(OTHER_SIDE.get(move, move)) for move in CAMERAS]
    joined = (here + there[swapped]) / 2
    return Answer(value=CAMERAS[int(joined.argmax())], figures={"sure": float(joined.max())})


def features(look: Look) -> Tensor:
    """What the net looks at: INPUTS numbers of about 1, GROUPS of four and the setting."""
    flow = look.flow
    clear = (flow.clear.mean(0).clamp_min(1e-3).log() / 4)[:, None]
    spans = [2 * part.sum(0) for part in flow.motion.tensor_split(SPANS)]  #  B 3 each
    whole = torch.stack(spans).sum(0)
    seen = torch.cat([torch.cat([motion, clear], 1) for motion in (whole, *spans)])
    things = [_way(body) for body in look.bodies[:THINGS]]
    things += [torch.zeros(4)] * (THINGS - len(things))
    return torch.cat([seen.flatten(), *things, setting_shares(look.sight)])


def _way(body: Body) -> Tensor:
    """How a thing goes in the picture: right, down, nearer; and how much of the clip it is seen."""
    first, last = body.first, body.last
    way = body.place[last] - body.place[first]
    nearer = np.log(body.area[last] / body.area[first]) / 2
    share = body.seen.mean()
    return torch.tensor([2 * way[0], 2 * way[1], nearer, share], dtype=torch.float32)


def mirrored(features: Tensor) -> Tensor:  # ... INPUTS
    """Those of the mirrored clip."""
    groups, setting = features[..., : 4 * GROUPS], features[..., 4 * GROUPS :]
    return torch.cat([groups * torch.tensor([-1.0, 1, 1, 1] * GROUPS), setting], -1)


def reversed_(features: Tensor) -> Tensor:  # ... INPUTS
    """Those of the clip from its end to its beginning."""
    groups = features[..., : 4 * GROUPS].unflatten(-1, (GROUPS, 4))
    whole, *spans, things = groups.split([BANDS] * (SPANS + 1) + [THINGS], -2)
    turned = torch.cat([whole, *reversed(spans), things], -2) * torch.tensor([-1.0, -1, -1, 1])
    return torch.cat([turned.flatten(-2), features[..., 4 * GROUPS :]], -1)


def save(folder: Path, net: Moves, *, provenance: dict) -> Path:
    """Write the net's weights."""
    return checkpoint.save(
        folder,
        kind=KIND,
        config={"cameras": list(CAMERAS)},
        tensors=dict(net.state_dict()),
        storage="fp16",
        provenance=provenance,
    )


@functools.cache
def load(folder: Path = PACKAGED) -> Moves:
    """The packaged net, or that of a folder."""
    held = checkpoint.load(folder, kind=KIND)
    if tuple(held.config.get("cameras", ())) != CAMERAS:
        raise CheckpointError(
            f"{folder} knows other camera moves than this world: train it with recipes/moves.py"
        )
    net = Moves()
    checkpoint.apply(net, held.tensors)
    return net.requires_grad_(False).eval()
