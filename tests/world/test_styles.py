"""Styles: the same world by another hand, without flicker and without luck."""

import numpy as np
import pytest
import torch

from worldreel.errors import SceneError
from worldreel.world.styles import STYLES, _box, apply

DRAWN = [style for style in STYLES if style != "render"]


@pytest.fixture(scope="module")
def clip():
    """A red square that moves over a green ground: frames and ids."""
    frames = np.full((3, 48, 64, 3), (60, 160, 40), np.uint8)
    frames[:, :16] = (120, 180, 250)
    ids = np.zeros((3, 48, 64), np.int64)
    for f in range(3):
        frames[f, 20:36, 10 + 8 * f : 26 + 8 * f] = (220, 30, 30)
        ids[f, 20:36, 10 + 8 * f : 26 + 8 * f] = 1
    return frames, ids


@pytest.mark.parametrize("style", DRAWN)
def test_a_style_changes_the_picture_and_is_the_same_every_time(clip, style):
    frames, ids = clip
    once = apply(style, frames, ids, seed=5)
    assert once.shape == frames.shape and once.dtype == np.uint8
    assert (once != frames).any()
    np.testing.assert_array_equal(once, apply(style, frames, ids, seed=5))


@pytest.mark.parametrize("style", DRAWN)
def test_nothing_flickers(clip, style):
    """A frame looks the same whatever comes before and after it."""
    frames, ids = clip
    whole = apply(style, frames, ids, seed=5)
    alone = [apply(style, frames[f : f + 1], ids[f : f + 1], seed=5)[0] for f in range(3)]
    np.testing.assert_array_equal(whole, np.stack(alone))


@pytest.mark.parametrize("style", [s for s in DRAWN if s != "black and white"])
def test_a_red_thing_stays_red(clip, style):
    frames, ids = clip
    red, green, blue = apply(style, frames, ids, seed=5)[ids > 0].mean(0)
    assert red > green + 60 and red > blue + 60


def test_black_and_white_has_no_colour_and_keeps_order(clip):
    frames, ids = clip
    made = apply("black and white", frames, ids, seed=5)
    assert (made == made[..., :1]).all()
    sky, thing = made[0, 2, 2, 0], made[0, 25, 15, 0]
    assert sky > thing


def test_pixel_art_is_made_of_blocks_of_few_colours(clip):
    made = apply("pixel art", *clip, seed=5)
    blocks = made.reshape(3, 24, 2, 32, 2, 3)
    assert (blocks == blocks[:, :, :1, :, :1]).all()
    assert len(np.unique(made)) <= 6


def test_paper_craft_puts_a_white_rim_round_a_thing(clip):
    made = apply("paper craft", *clip, seed=5)
    assert made[0, 28, 9].min() > 200 and made[0, 28, 4].min() < 150


def test_render_is_left_alone_and_an_unknown_style_is_refused(clip):
    frames, ids = clip
    assert apply("render", frames, ids, seed=5) is frames
    with pytest.raises(SceneError, match="unknown style 'oil'"):
        apply("oil", frames, ids, seed=5)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_box_is_the_mean_of_its_square(size):
    x = torch.rand(2, 3, 20, 30, generator=torch.Generator().manual_seed(2))
    pooled = torch.nn.functional.avg_pool2d(x, size, 1)
    torch.testing.assert_close(_box(x, size), pooled, atol=1e-6, rtol=0)
    assert _box(x, size) is not x
