"""Laws of the weather: it falls as weather does, hides what it should and names no pixel."""

import colorsys

import numpy as np
import pytest
import torch

from worldreel.world import lights, weather
from worldreel.world.act import act, reflect
from worldreel.world.render import render
from worldreel.world.scene import COLORS, WEATHERS, Camera, Scene, Thing
from worldreel.world.settings import SETTINGS, SKY
from worldreel.world.tracing import pack
from worldreel.world.weather import WEATHER, through

FALLING = [name for name, row in WEATHER.items() if row.fall]
SIZE = (144, 80)


def _scene(kind, color="red", setting="meadow", light="noon", seed=4, move="static", y=0.0):
    ball = Thing(
        kind="ball",
        color=color,
        size="large",
        material="matte",
        extent=(0.45, 0.45, 0.45),
        position=(0.0, y, 0.45),
    )
    return Scene(
        seed=seed,
        setting=setting,
        light=light,
        weather=kind,
        things=(ball,),
        camera=Camera(move=move, eye=(0.1, -3.8, 1.2), look_at=(0, 0, 0.5), amount=0.4),
        seconds=0.5,
    )


def _drawn(kind, **more):
    return render(act(_scene(kind, **more), size=SIZE), size=SIZE, truth=True)


def test_every_word_has_a_weather():
    assert set(WEATHER) == set(WEATHERS)
    for setting in SETTINGS.values():
        assert all(through(light, WEATHER["clear"]) == light for light in setting.lights.values())


@pytest.mark.parametrize("kind", [name for name in WEATHERS if name != "clear"])
def test_weather_changes_the_picture_and_nothing_else(kind):
    clear, made = _drawn("clear"), _drawn(kind)
    for name in ("ids", "depth", "normals", "flow"):
        assert np.array_equal(getattr(clear, name), getattr(made, name)), name
    assert np.abs(clear.frames / 255 - made.frames / 255).mean() > 0.02


@pytest.mark.parametrize("kind", FALLING)
def test_a_seed_is_its_weather(kind):
    one, again, other = (_drawn(kind, seed=seed).frames for seed in (4, 4, 5))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


@pytest.mark.parametrize("kind", WEATHERS)
def test_a_mirrored_scene_is_the_mirror_image(kind):
    take = act(_scene(kind, setting="wet street", move="pan_left"), size=SIZE)
    plain = render(take, size=SIZE, samples=4).frames
    assert np.array_equal(render(reflect(take), size=SIZE, samples=4).frames, plain[:, :, ::-1])


def _fallen(kind, t, size=SIZE, linear=0.2):
    """A grey picture (F, H, W, 3) with what falls before a wall at t metres, and without."""
    scene = _scene(kind)
    row = WEATHER[kind]
    numbers = pack([act(scene, size=size)], size, torch.device("cpu"))
    frames = numbers.camera.shape[1]
    points = torch.from_numpy(weather.points(scene, row)).expand(frames, -1, -1)
    before = torch.full((frames, *size[::-1], 3), linear)
    wall = torch.full((frames, *size[::-1]), t)
    return weather.draw(before, wall, row.fall, points, numbers.camera, numbers.air), before


@pytest.mark.parametrize("size", [(256, 144), (144, 80)])
@pytest.mark.parametrize("kind", FALLING)
def test_what_falls_is_seen_and_hides_little(kind, size):
    made, before = _fallen(kind, SKY, size)
    changed = ((made.sqrt() - before.sqrt()).abs().amax(-1) > 0.1).float().mean((1, 2))
    assert (changed > 0.01).all() and (changed < 0.2).all()


@pytest.mark.parametrize("kind", FALLING)
def test_what_is_nearer_hides_what_falls(kind):
    made, before = _fallen(kind, 0.65)
    assert torch.equal(made, before)
    far, _ = _fallen(kind, SKY)
    near, _ = _fallen(kind, 3.0)
    assert (near <= far).all() and (near < far).any() and (near > before).any()


@pytest.mark.parametrize("kind", FALLING)
def test_points_fall_smoothly_and_stay_in_the_world(kind):
    fall = WEATHER[kind].fall
    made = torch.from_numpy(weather.points(_scene(kind), WEATHER[kind]))[None]
    half = fall.layers[1][0]

    def at(seconds, eye=(0.1, -3.8, 1.2), ahead=(0.0, 1.0, 0.0)):
        place, _, share = weather._moved(fall, made, half, eye, ahead, torch.tensor([[seconds]]))
        return torch.stack(place)[:, 0], share[0]

    step = 1 / 48
    (now, share), (then, later) = at(1.0), at(1.0 + step)
    kept = (share > 0) & (later > 0) & ((then - now).norm(dim=0) < half)
    assert kept.float().mean() > 0.3
    speed = (then - now)[:, kept] / step
    assert (speed[2] < 0).all()
    assert speed[2].mean() == pytest.approx(-fall.speed, rel=0.05)
    assert speed[:2].norm(dim=0).max() < 1.5 * fall.wind + 6 * fall.sway
    # Points that are seen at one time and not at the other were at the box's side, and faint.
    assert share[(then - now).norm(dim=0) > half].max() < 0.7

    turned, seen = at(1.0, eye=(0.4, -3.5, 1.2), ahead=(0.1, 0.995, 0.0))
    both = (share > 0.5) & (seen > 0.5)
    same = (turned - now).norm(dim=0)[both] < 1e-4
    assert same.float().mean() > 0.9


@pytest.mark.parametrize("light", ["noon", "sunset", "night"])
@pytest.mark.parametrize("kind", [name for name in WEATHERS if name != "clear"])
def test_a_colour_keeps_its_name(kind, light):
    """At 4 to 6 metres the mean of a ball's pixels is nearest in hue to its own colour."""
    names = ("red", "yellow", "green", "cyan", "blue", "purple")
    hues = {name: colorsys.rgb_to_hsv(*COLORS[name])[0] for name in names}
    takes = [act(_scene(kind, name, light=light, y=1.7), size=SIZE) for name in names]
    for name, made in zip(names, render(takes, size=SIZE, truth=True), strict=True):
        assert np.median(made.depth[made.ids == 1]) > 4.5
        mean = made.frames[made.ids == 1].mean(0) / 255
        hue, saturation, _ = colorsys.rgb_to_hsv(*mean)
        away = {other: abs((hue - h + 0.5) % 1 - 0.5) for other, h in hues.items()}
        assert min(away, key=away.get) == name, (name, mean)
        assert saturation > 0.15, (name, mean)


def test_fog_hides_what_is_far():
    clear, fog = _drawn("clear", setting="snowfield"), _drawn("fog", setting="snowfield")

    def contrast(made):
        return (made.frames[:, :30] / 255).std((1, 2)).mean()

    assert contrast(fog) < 0.4 * contrast(clear)


def test_rings_are_on_wet_ground_only():
    scene = _scene("rain", setting="wet street")
    row = SETTINGS["wet street"]
    seconds = np.array([0.0, 1 / 12])
    air = lights.pack(scene, row.lights["noon"], 0.005, seconds)
    air = lights.unpack(torch.from_numpy(air)[..., None])
    x, y = torch.meshgrid(torch.linspace(-1, 1, 60), torch.linspace(0.2, 2, 60), indexing="ij")
    way = torch.stack([x.flatten(), y.flatten(), torch.full((3600,), -1.2)])
    way = tuple((way / way.norm(dim=0))[:, None].expand(-1, 2, -1))
    eye = tuple(torch.full((2, 1), value) for value in (0.0, -2.0, 1.2))
    back = row.draw(eye, way, air)
    dry = back._replace(wet=torch.where(way[0] > 0, 0.0, back.wet))
    glow = torch.stack(weather.rings(dry, eye, way, air).glow)
    change = (glow - torch.stack(torch.broadcast_tensors(*dry.glow))).abs().amax(0)
    assert (change[dry.wet == 0] == 0).all()
    share = (change > 0.01).float().mean(1) * 2
    assert ((share > 0.02) & (share < 0.5)).all()
    assert not torch.equal(change[0], change[1])
