"""The law of the beams: the pictures are those of every ray with every body, to the last bit."""

import math

import numpy as np
import pytest
import torch

from worldreel.world import beams, solids, tracing
from worldreel.world.act import act, reflect
from worldreel.world.actors import RIGS
from worldreel.world.render import render
from worldreel.world.scene import Camera, Scene, Thing
from worldreel.world.settings import SETTINGS
from worldreel.world.vector import select


def _first(origin, direction, bodies):
    t = torch.full_like(direction[0], solids.FAR)
    index = gloss = torch.zeros_like(t)
    normal = color = (gloss, gloss, gloss)
    for n, body in enumerate(bodies):
        mine, paint = solids.meet(origin, direction, body), solids.paint(origin, direction, body)
        nearer = mine < t
        t, index = torch.where(nearer, mine, t), torch.where(nearer, n + 1.0, index)
        normal = select(nearer, paint.normal, normal)
        color = select(nearer, paint.color, color)
        gloss = torch.where(nearer, paint.gloss, gloss)
    return beams.Hit(t, normal, color, gloss, index)


def _sunlight(point, normal, counted, sun, soft, bodies):
    light = torch.ones_like(point[0])
    for body in bodies:
        light = light * (1 - solids.shadow(point, normal, sun, soft, body))
    return light


def _openness(point, normal, counted, bodies):
    open_ = torch.ones_like(point[0])
    for body in bodies:
        open_ = open_ * (1 - solids.cover(point, normal, body))
    return open_


def _scene(setting, light, weather="clear") -> Scene:
    def thing(kind, color, x, y, z, angle=0.0, **more):
        extent = RIGS[kind].size if kind in RIGS else (0.3, 0.3, 0.3)
        return Thing(
            kind=kind,
            color=color,
            size="medium",
            material="glossy",
            extent=extent,
            position=(x, y, z + extent[2]),
            rotation=(math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)),
            **more,
        )

    return Scene(
        seed=11,
        setting=setting,
        light=light,
        weather=weather,
        things=(
            thing("woman", "red", -0.9, 0.0, 0.0, velocity=(0.9, 0, 0), action="walks"),
            thing("dragon", "blue", 0.7, 0.8, 0.6, 2.0, velocity=(-0.5, 1, 0), action="flies"),
            thing("ball", "yellow", 1.2, -0.6, 0.0),
            thing("cube", "green", -0.2, -0.8, 0.0, 0.4),
        ),
        camera=Camera(move="orbit_left", eye=(0.3, -3.8, 1.3), look_at=(0, 0, 0.5), amount=0.3),
        seconds=1 / 6,
    )


CASES = [
    (name, light)
    for i, (name, setting) in enumerate(SETTINGS.items())
    for light in [list(setting.lights)[i % len(setting.lights)], "noon"]
]


@pytest.mark.parametrize(("setting", "light"), dict.fromkeys(CASES))
def test_pictures_are_those_of_every_ray_with_every_body(setting, light, monkeypatch):
    take = act(_scene(setting, light), size=(80, 45))
    take = reflect(take) if light == "noon" else take
    quick = render(take, size=(80, 45), samples=4, truth=True)
    for name, plain in (("first", _first), ("sunlight", _sunlight), ("openness", _openness)):
        monkeypatch.setattr(beams, name, plain)
    slow = render(take, size=(80, 45), samples=4, truth=True)
    assert len(np.unique(quick.ids)) == 5
    for name, value in vars(quick).items():
        assert np.array_equal(value, getattr(slow, name)), name


@pytest.mark.parametrize("setting", ["wet street", "sandy coast"])
def test_what_is_traced_at_once_changes_nothing(setting, monkeypatch):
    take = act(_scene(setting, "noon"), size=(80, 45))
    whole = render(take, size=(80, 45), samples=4, truth=True)
    monkeypatch.setitem(tracing._MOST, "cpu", 1500)
    parts = render(take, size=(80, 45), samples=4, truth=True)
    for name, value in vars(whole).items():
        assert np.array_equal(value, getattr(parts, name)), name


def _crowd(rng, count, rows):
    """Bodies of all kinds round the origin, (count, rows, WIDTH)."""
    take = act(_scene("meadow", "noon"), size=(80, 45))
    numbers = solids.pack(take)[:, :1].repeat(rows, 1)
    numbers = numbers[rng.integers(len(numbers), size=count)]
    numbers[..., :3] = rng.normal(size=(count, rows, 3))
    return torch.from_numpy(numbers)


@pytest.mark.parametrize("spread", [0.02, 0.3, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_bundles_may_go_anywhere(seed, spread):
    """Rays that start and go apart, also such as start among the bodies."""
    rng = np.random.default_rng(seed)
    bodies = _crowd(rng, 15, 3)
    bodies[-1] = torch.from_numpy(solids.null_body(3)[0])

    def planes(middle):
        flat = middle + rng.normal(size=(3, 3, 40, beams.BUNDLE)) * spread
        return torch.from_numpy(flat.reshape(3, 3, -1).astype(np.float32))

    start = rng.normal(size=(3, 3, 40, 1))
    origin, way = planes(2 * start), planes(0.5 * rng.normal(size=start.shape) - start)
    way = tuple(way / way.norm(dim=0))
    origin = tuple(origin)
    quick, plain = beams.first(origin, way, bodies), _first(origin, way, bodies)
    assert (plain.index > 0).any()
    for a, b in zip(quick, plain, strict=True):
        assert torch.equal(torch.stack([*a]), torch.stack([*b]))

    sun = tuple(torch.tensor([0.6, 0.0, 0.8]).expand(3, 3).T[..., None])
    soft = torch.full((3, 1), 0.03)
    counted = torch.from_numpy(rng.random(origin[0].shape) < 0.7)
    light = beams.sunlight(origin, way, counted, sun, soft, bodies)
    assert torch.equal(light[counted], _sunlight(origin, way, counted, sun, soft, bodies)[counted])
    open_ = beams.openness(origin, way, counted, bodies)
    assert torch.equal(open_[counted], _openness(origin, way, counted, bodies)[counted])


def test_most_meetings_are_left_out(monkeypatch):
    """A ray is traced to less than a tenth of the bodies."""
    take, met = act(_scene("meadow", "noon"), size=(80, 45)), []
    plain = solids.meet
    monkeypatch.setattr(
        solids, "meet", lambda *given: met.append(given[1][0].numel()) or plain(*given)
    )
    render(take, size=(80, 45))
    rays = take.num_frames * 80 * 48
    assert sum(met) < 0.1 * rays * len(take.shape)


def test_rays_are_regrouped_in_order():
    rng = np.random.default_rng(3)
    counted = torch.from_numpy(rng.random((4, 300)) < 0.3)
    counted[2] = False
    place, row = beams.regrouped(counted, 64)
    assert row.tolist() == sorted(row.tolist()) and 2 not in row
    assert torch.equal(place // 300, row[:, None].expand_as(place))
    assert torch.equal(place.flatten().unique(), counted.flatten().nonzero()[:, 0])
    assert (place.diff(dim=1) >= 0).all()
    none, rows = beams.regrouped(torch.zeros(2, 128, dtype=torch.bool), 64)
    assert none.shape == (0, 64) and len(rows) == 0
