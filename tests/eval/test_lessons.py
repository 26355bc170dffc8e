"""What the rulers are taught with: the same for the same seed, and labelled as it is shown."""

import dataclasses

import numpy as np
import torch

from worldreel.eval import lessons, tracks, wear
from worldreel.eval.eye import REACH
from worldreel.eval.known import COLORS, CORE, KINDS, SETTINGS, STYLES
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
    assert torch.equal(one.x, two.x) and torch.equal(one.owner, two.owner)
    assert one.x.shape[1:] == (3, 80, 144) and one.owner.shape[1:] == (40, 72)
    empty = one.frame[:, 0] == 0
    assert empty.any() and not one.owner[empty].any() and not one.frame[empty].any()
    (scene,) = source.scenes
    colored = one.frame[:, 3] != 1 + STYLES.index("black and white")
    told = {list(COLORS).index(thing.color) for thing in scene.things}
    assert set(one.color[~empty & colored].unique().tolist()) == {-1, *told}
    assert (one.frame[~empty, 0] == 1 + SETTINGS.index(scene.setting)).all()
    assert len(one.frame[~empty, 3].unique()) > 1, "some are drawn in another style"


def test_every_cell_points_to_the_middle_of_its_thing():
    b = lessons.batch([shown()], [1], np.random.default_rng(0))
    n = int((b.owner == 1).flatten(1).any(1).nonzero()[0])
    rows, columns = (b.owner[n] == 1).nonzero(as_tuple=True)
    away = b.middle()[n, :, rows, columns] * REACH
    assert torch.allclose(columns + away[0], columns.float().mean(), atol=1e-3)
    assert torch.allclose(rows + away[1], rows.float().mean(), atol=1e-3)


def test_close_views_are_of_the_kind_that_they_say():
    source = shown()
    where = lessons.sightings([source])
    kinds = {thing.kind for thing in source.scenes[0].things}
    assert {KINDS[i] for i in where.kinds.tolist()} == kinds
    x, kind = lessons.views(where, np.random.default_rng(0))
    assert x.shape == (lessons.VIEWS, 4, 40, 40)
    assert {KINDS[i] for i in kind.tolist()} == kinds


def test_no_kind_is_left_out_of_the_views(monkeypatch):
    where = lessons.sightings([shown()])
    alike = tuple(torch.tensor([i]) for i in range(len(where.kinds)))
    where = dataclasses.replace(where, alike=alike, kinds=torch.arange(len(alike)))
    assert len(alike) > 3
    monkeypatch.setattr(lessons, "VIEWS", 3)
    rng = np.random.default_rng(0)
    seen = {int(kind) for _ in range(20) for kind in lessons.views(where, rng)[1]}
    assert seen == {*range(len(alike))}


def test_a_perfect_eye_counts_what_overlaps():
    (scene,) = shown().scenes
    two = dataclasses.replace(scene, things=(scene.things[0], scene.things[0]))
    ids = np.zeros((3, 80, 144), np.uint8)
    ids[:, 30:50, 40:60], ids[:, 34:56, 56:76] = 1, 2
    (track,) = tracks.tracks(lessons.seen_truly(ids, two))
    assert (track.color, track.count) == (scene.things[0].color, 2)
    alone = dataclasses.replace(scene, things=scene.things[:1])
    ids[ids == 2] = 0
    ids[:, 30:50, 100:110] = 1  # in two pieces, as a row of dominoes is
    (track,) = tracks.tracks(lessons.seen_truly(ids, alone))
    assert track.count == 1


def test_in_a_picture_without_colours_things_are_told_apart_by_kind():
    (scene,) = shown().scenes
    kinds = "ball", "dog"
    things = tuple(dataclasses.replace(scene.things[0], kind=kind) for kind in kinds)
    ids = np.zeros((3, 80, 144), np.uint8)
    ids[:, 20:40, 20:40], ids[:, 40:72, 80:110] = 1, 2
    sight = lessons.seen_truly(ids, dataclasses.replace(scene, things=things))
    found = tracks.tracks(sight, colored=False)
    assert [KINDS[int(track.kinds.argmax())] for track in found] == ["dog", "ball"]
    assert {track.color for track in found} == {None}


def test_a_softened_clip_is_as_soft_all_along():
    sharp = torch.rand(1, 3, 120, 216, generator=torch.Generator().manual_seed(0)) * 2 - 1
    clip = sharp.expand(6, -1, -1, -1)
    for seed in range(4):
        one, two = (wear.softened(clip, np.random.default_rng(seed)) for _ in range(2))
        assert torch.equal(one, two) and one.shape == clip.shape and one.abs().max() <= 1
        edges = one.diff(dim=-1).abs().mean((1, 2, 3))
        assert edges.max() < 0.9 * sharp.diff(dim=-1).abs().mean(), "softer than it was"
        assert edges.max() < 1.5 * edges.min(), "no frame much sharper than another"


def test_what_moves_is_smeared_and_what_stands_is_not():
    x = torch.full((4, 3, 16, 64), -0.5)
    for frame in range(4):
        x[frame, :, :, 8 * frame : 8 * frame + 8] = 0.5
    x[:, :, :, 48:] = 0.2
    made = wear.smeared(x, np.random.default_rng(1))
    assert torch.allclose(made[..., 48:], x[..., 48:], atol=1e-6)
    own, elsewhere = made[0, 0, 0, 4], made[0, 0, 0, 12]
    assert -0.5 < elsewhere < own < 0.5, "it is still most of all where it is"
    assert torch.allclose(made.mean(0), x.mean(0), atol=1e-6)


def test_frames_of_whole_clips_are_smeared_now_and_then(monkeypatch):
    source = shown()
    batches = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(lessons, "SMEARED", share)
        one = dataclasses.replace(source, whole=True)
        batches.append(lessons.batch([one], [1], np.random.default_rng(3)))
    assert batches[0].x.shape == batches[1].x.shape
    assert not torch.equal(batches[0].x, batches[1].x)


def test_worn_frames_are_the_same_for_a_seed_and_still_like_themselves():
    x = torch.from_numpy(shown().frames[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    x = x.repeat(3, 1, 1, 1)
    one, two = (wear.worn(x, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(one, two) and not torch.equal(one, x)
    assert one.abs().max() <= 1 and (one - x).abs().mean() < 0.15


def test_patches_ring_and_leave_what_is_flat():
    rng = np.random.default_rng(0)
    flat = torch.full((2, 3, 80, 144), 0.25)
    seams = wear.patched(flat, 16, rng) - flat
    inside = seams.unflatten(3, (9, 16)).unflatten(2, (5, 16))
    assert torch.allclose(inside.std((3, 5)), torch.zeros(2, 3, 5, 9), atol=1e-5)
    assert 0 < seams.abs().max() < 6 * wear.SEAM
    edge = torch.where(torch.arange(144) < 70, -0.5, 0.5).expand(16, 3, 80, 144)
    assert wear.patched(edge, 28, rng)[..., 56:84].max() > 0.52, "too few frequencies overshoot"
    assert wear.sharpened(edge, torch.ones(16, 1, 1, 1)).max() > 0.6


def test_nothing_is_shown_in_many_ways():
    x = torch.from_numpy(shown().frames[0][0]).permute(2, 0, 1).float() / 127.5 - 1
    rng = np.random.default_rng(0)
    made = torch.stack([wear.nothing(x, rng) for _ in range(60)])
    assert made.shape[1:] == x.shape and made.abs().max() <= 1
    spread = made.std((1, 2, 3))
    assert (spread < 1e-3).any() and (spread > 0.5).any()
