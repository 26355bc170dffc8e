"""What the rulers are taught with: the same for the same seed, and labelled as it is shown."""

import numpy as np
import torch

from worldreel.eval import lessons, probes
from worldreel.eval.known import COLORS, CORE, KINDS
from worldreel.world.act import stage_scene
from worldreel.world.render import render


def shown():
    take = stage_scene(6_100_000, seconds=1 / 3, size=(144, 80), within=CORE)
    made = render(take, size=(144, 80), truth=True)
    assert made.ids is not None
    return lessons.Shown(frames=[made.frames], ids=[made.ids.astype(np.uint8)], scenes=[take.scene])


def test_a_batch_follows_from_its_seed():
    source = shown()
    one, two = (lessons.batch([source], [1], np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one.x, two.x) and torch.equal(one.color, two.color)
    assert one.x.shape[1:] == (3, 80, 144) and one.color.shape[1:] == (40, 72)
    empty = one.setting == 0
    assert empty.any() and not (one.color[empty] >= 0).any() and not one.light[empty].any()
    told = {list(COLORS).index(thing.color) for thing in source.scenes[0].things}
    assert set(one.color[~empty].unique().tolist()) == {-1, *told}


def test_close_views_are_of_the_kind_that_they_say():
    source = shown()
    where = lessons.sightings([source], probes.load())
    kinds = {thing.kind for thing in source.scenes[0].things}
    assert {kind for kind, _ in where} == kinds
    x, kind = lessons.views(where, np.random.default_rng(0))
    assert x.shape == (lessons.VIEWS, 4, 40, 40)
    assert {KINDS[i] for i in kind.tolist()} == kinds
