"""The lines of tracking and flow, on clips whose truth is drawn: discs on a rough ground."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from worldreel.eval import camera, falls, flow, shots
from worldreel.eval.eye import OF_A_FRAME, Sight, frames_to_eye
from worldreel.eval.known import COLORS, KINDS
from worldreel.eval.lines import LINES
from worldreel.eval.look import Answer, Look, Said
from worldreel.world.facts import Fact
from worldreel.world.scene import CAMERAS, OTHER_SIDE

FRAMES, HEIGHT, WIDTH = 24, 80, 144
READ = {line.key: line.read for line in LINES}
WANTED = {line.key: line.wanted for line in LINES}


def ground(seed=0, shift=(0.0, 0.0)):
    """F H W 3 in 0..1: a smooth rough ground that goes right and down by so many pixels a frame."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    waves = rng.uniform(0.08, 0.5, (12, 2)) * rng.choice((-1, 1), (12, 2))
    phase, made = rng.uniform(0, 6.28, 12), []
    for frame in range(FRAMES):
        x, y = u - shift[0] * frame, v - shift[1] * frame
        gray = sum(np.cos(a * x + b * y + p) for (a, b), p in zip(waves, phase, strict=True))
        made.append(0.45 + 0.04 * gray)
    return np.repeat(np.stack(made)[..., None], 3, -1)


def clip(*things, back=None):
    """A look at discs: each (color, places F 2 in halves of the width or nan, radius or (F, 2))."""
    picture = ground() if back is None else back.copy()
    thing = np.full((FRAMES, HEIGHT // 2, WIDTH // 2), -6.0)
    color = np.zeros((FRAMES, len(COLORS), HEIGHT // 2, WIDTH // 2))
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    for name, places, radius in things:
        radii = np.broadcast_to(radius, (FRAMES, 2))
        for frame, (x, y) in enumerate(places):
            if not np.isfinite(x):
                continue
            at = (u - (x + 1) * WIDTH / 2) / radii[frame, 0], (v - y * WIDTH / 2 - HEIGHT / 2)
            inside = at[0] ** 2 + (at[1] / radii[frame, 1]) ** 2 < 1
            picture[frame][inside] = np.eye(3)[COLORS.index(name) % 3]
            share = inside.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3))
            thing[frame] = np.maximum(thing[frame], 12 * share - 6)
            color[frame, :, share > 0.25] = -6
            color[frame, COLORS.index(name)][share > 0.25] = 6
    frames = np.round(picture * 255).astype(np.uint8)
    unknown = (
        functional.one_hot(torch.zeros(FRAMES).long(), 1 + len(n)) for n in OF_A_FRAME.values()
    )
    sight = Sight(
        torch.tensor(thing).float(),
        torch.tensor(color).float(),
        middle=torch.zeros(FRAMES, 2, HEIGHT // 2, WIDTH // 2),
        kind=torch.zeros(FRAMES, len(KINDS), HEIGHT // 4, WIDTH // 4),
        **{name: logits.float() for name, logits in zip(OF_A_FRAME, unknown, strict=True)},
    )
    return Look(frames=frames, x=frames_to_eye(frames), sight=sight)


def way(x, y):
    return np.stack(np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float)), -1)


TIME = np.arange(FRAMES) / 12
STAYS = way(np.full(FRAMES, 0.4), 0.1)


def drop(g=9.81, keep=0.6):
    """The height of a ball of elastic bounces, in half widths down."""
    a = g / falls.METRES
    y, speed, found = -0.35, 0.0, []
    for _ in range(FRAMES):
        found.append(y)
        for _ in range(200):
            speed += a / 12 / 200
            y += speed / 12 / 200
            if y > 0.2 and speed > 0:
                speed *= -keep
    return np.array(found)


# Flow.


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.5, 0.0), (-2.0, 0.7), (0.0, -1.0)])
def test_the_background_goes_as_it_was_moved(shift):
    seen = clip(back=ground(shift=shift))
    measured = seen.flow.motion[..., :2].median(0).values * WIDTH / 2
    assert torch.allclose(measured, torch.tensor(shift).expand(5, 2), atol=0.12)
    assert seen.flow.stands == (shift == (0.0, 0.0))


def test_a_mover_takes_no_part_in_the_background():
    across = way(np.linspace(-0.8, 0.8, FRAMES), 0.1)
    assert clip(("red", across, 12)).flow.stands


# Things.


def test_things_are_followed_one_by_one():
    left = way(np.linspace(0.6, -0.6, FRAMES), -0.1)
    seen = clip(("red", left, 9), ("blue", STAYS, 9)).bodies
    by = {body.color: body for body in seen}
    assert set(by) == {"red", "blue"} and all(body.seen.all() for body in seen)
    assert np.abs(by["red"].place - left).max() < 0.02
    assert np.abs(by["blue"].slender).max() < 0.08


def test_what_is_hidden_and_comes_back_is_the_same():
    passing = way(np.linspace(-0.8, 0.8, FRAMES), 0.1)
    behind = passing.copy()
    behind[np.abs(passing[:, 0] - 0.0) < 0.12] = np.nan
    seen = clip(("red", behind, 7), ("blue", way(np.zeros(FRAMES), 0.1), 12))
    assert len(seen.bodies) == 2 and READ["permanence"](seen).value == "holds"


# Lines.


def test_gravity_knows_g_and_what_is_slow():
    good = READ["gravity"](clip(("red", way(np.zeros(FRAMES), drop()), 8)))
    assert good.value == "holds" and good.figures["g"] == pytest.approx(9.81, rel=0.15)
    slow = READ["gravity"](clip(("red", way(np.zeros(FRAMES), drop(9.81 / 3)), 8)))
    assert slow.value == "broken" and slow.figures["g"] == pytest.approx(3.27, rel=0.2)


def test_gravity_knows_a_bounce_that_gains():
    back = drop()[::-1]
    assert READ["gravity"](clip(("red", way(np.zeros(FRAMES), back), 8))).value != "holds"
    assert READ["gravity"](clip(("blue", STAYS, 8))).value is None


def push(early=0, stays=False):
    """One comes from the left, stops, and the other goes on from where it was struck."""
    mover = np.minimum(-0.6 + 0.07 * np.arange(FRAMES), 0.0)
    after = np.maximum(np.arange(FRAMES) - 9 + early, 0) * (0.0 if stays else 0.03)
    return clip(("red", way(mover, 0.1), 9), ("blue", way(0.25 + after, 0.1), 9))


def test_what_is_touched_moves_and_not_before():
    assert READ["contact"](push()).value == "holds"
    assert READ["contact"](push(early=5)).value == "broken"
    assert READ["contact"](clip(("red", STAYS, 9))).value is None
    assert READ["time"](push()).value == "red, then blue"


def test_what_was_struck_and_stays_is_seen():
    seen = push(stays=True)
    assert READ["contact"](seen).value == "broken" and READ["time"](seen).value is None


@pytest.mark.parametrize("backwards", [False, True])
def test_friction_stops_things_slowly_and_only_forward_in_time(backwards):
    mover = np.minimum(-0.6 + 0.07 * np.arange(FRAMES), 0.0)
    since = np.clip(np.arange(FRAMES) - 9, 0, 12)
    after = 0.25 + 0.05 * since - 0.05 / 24 * since**2
    turned = slice(None, None, -1 if backwards else 1)
    seen = clip(("red", way(mover[turned], 0.1), 9), ("blue", way(after[turned], 0.1), 9))
    answer = READ["contact"](seen)
    assert answer.value == ("broken" if backwards else "holds")
    if not backwards:
        assert answer.figures["halt"] < 0.8


@pytest.mark.parametrize("frames", [slice(0, 12), slice(12, None)])
def test_nothing_comes_from_nowhere(frames):
    gone = STAYS.copy()
    gone[frames] = np.nan
    assert READ["permanence"](clip(("red", gone, 9))).value == "broken"
    assert READ["permanence"](clip(("red", STAYS, 9))).value == "holds"
    assert READ["permanence"](clip()).value is None


def test_a_thing_keeps_its_colour():
    first, then = STAYS.copy(), STAYS.copy()
    first[12:], then[:12] = np.nan, np.nan
    assert READ["permanence"](clip(("red", first, 9), ("blue", then, 9))).value == "broken"


def test_what_comes_nearer_is_rigid_and_what_is_stretched_is_not():
    grows, tall = np.linspace(7, 12, FRAMES), np.linspace(1, 1.8, FRAMES)
    near = clip(("red", STAYS, np.stack([grows, grows], 1)))
    assert READ["rigidity"](near).value == "holds"
    long = clip(("red", STAYS, np.stack([8 + 0 * tall, 8 * tall], 1)))
    assert READ["rigidity"](long).value == "broken"
    assert READ["rigidity"](clip()).value is None


def test_what_is_hidden_bit_by_bit_is_still_rigid():
    """A disc stands behind a larger and lower one, which goes before it."""
    across = np.linspace(-0.5, -0.17, FRAMES)
    seen = clip(("red", way(np.full(FRAMES, 0.1), 0.1), 9), ("blue", way(across, 0.13), 15))
    assert READ["rigidity"](seen).value == "holds"


def test_a_thing_without_others_near_does_not_change_its_size_at_a_jump():
    x, radius = -0.6 + 0.02 * np.arange(FRAMES), np.full(FRAMES, 11.0)
    x[12:] += 0.1
    radius[12:] = 9.4
    alone = clip(("red", way(x, 0.1), np.stack([radius, radius], 1)))
    assert READ["seams"](alone).value == "jump"


def test_what_falls_goes_on_across_as_it_went():
    x = -0.3 + 0.004 * np.arange(FRAMES)
    assert READ["seams"](clip(("red", way(x, drop()), 8))).value == "smooth"
    landed = int(np.argmax(drop() > 0.15))
    x[landed:] += 0.05
    assert READ["seams"](clip(("red", way(x, drop()), 8))).value == "jump"


def test_missing_frames_are_a_jump():
    x = -0.6 + 0.04 * np.arange(FRAMES)
    assert READ["seams"](clip(("red", way(x, 0.1), 9))).value == "smooth"
    x[12:] += 0.2
    assert READ["seams"](clip(("red", way(x, 0.1), 9))).value == "jump"


def test_a_bounce_is_no_jump():
    assert READ["seams"](clip(("red", way(np.zeros(FRAMES), drop()), 8))).value == "smooth"


def test_colours_that_drift():
    steady = ground(shift=(1.0, 0.0))
    ramp = np.linspace(0, 0.3, FRAMES)[:, None, None, None] * (1.0, 0.5, 0.0)
    assert READ["drift"](clip(back=steady)).value == "steady"
    assert READ["drift"](clip(back=steady + ramp)).value == "drifts"
    faint = 0.5 + (steady - 0.5) * np.linspace(1, 0.4, FRAMES)[:, None, None, None]
    assert READ["drift"](clip(back=faint)).value == "drifts"


def test_cuts_are_told_to_a_third_of_a_second():
    joined = np.concatenate([ground(1)[:8], ground(2, shift=(1, 0))[8:20], ground(3)[20:]])
    seen = clip(back=joined)
    assert shots.cuts(seen) == [8, 20]
    assert READ["shots"](seen).value == "cut at 0.67, 1.67"
    assert READ["shots"](clip(back=ground(shift=(3, 1)))).value == "no cut"


def test_the_same_actor_in_both_shots():
    joined = np.concatenate([ground(1)[:12], ground(2)[12:]])
    red, blue = STAYS.copy(), STAYS.copy()
    red[12:], blue[:12] = np.nan, np.nan
    assert READ["actor"](clip(("red", STAYS, 9), back=joined)).value == "same"
    assert READ["actor"](clip(("red", red, 9), ("blue", blue, 9), back=joined)).value == "other"
    assert READ["actor"](clip(("red", STAYS, 9))).value is None


def test_what_does_not_live():
    going = way(-0.6 + 0.04 * np.arange(FRAMES), 0.1)
    held = np.concatenate([going[:10], np.repeat(going[10:11], 7, 0), going[10:17]])
    assert READ["alive"](clip(("red", going, 9))).value == "moves"
    assert READ["alive"](clip(("red", held, 9))).value == "halts"
    assert READ["alive"](clip(("red", STAYS, 9))).value == "frozen"
    assert READ["alive"](clip(back=np.zeros((FRAMES, HEIGHT, WIDTH, 3)))).value is None
    passing = np.clip(ground(shift=(1.5, 0.0)) * 2 - 0.45, 0, 1)
    assert READ["alive"](clip(back=passing)).value == "moves"
    passing[14:] = passing[14]  # a camera that stops at once, with all that it sees
    assert READ["alive"](clip(back=passing)).value == "halts"
    rests = np.minimum(-0.6 + 0.05 * np.arange(FRAMES), 0.1)  # a thing may stop, and all is still
    assert READ["alive"](clip(("red", way(rests, 0.1), 9))).value == "moves"
    rough = np.random.default_rng(0).random((FRAMES, HEIGHT, WIDTH, 3))
    assert READ["alive"](clip(back=rough)).value == "noise"


# The camera.


def panned(x=0.0, y=0.0):
    """A thing at rest on a ground that goes by so many pixels a frame."""
    frame = np.arange(FRAMES) * 2 / WIDTH
    return clip(("red", way(x * frame, 0.1 + y * frame), 9), back=ground(shift=(x, y)))


def test_a_camera_is_read_and_its_twin_too():
    assert READ["camera"](panned(x=1.3)).value == "pan_left"
    assert READ["camera"](panned(x=-1.3)).value == "pan_right"
    assert READ["camera"](panned(y=1.0)).value == "tilt_up"
    assert READ["camera"](panned()).value == "static"
    assert READ["camera"](clip(back=np.zeros((FRAMES, HEIGHT, WIDTH, 3)))).value is None


def test_twins_of_features():
    given = torch.randn(camera.INPUTS)
    assert torch.equal(camera.mirrored(camera.mirrored(given)), given)
    assert torch.equal(camera.reversed_(camera.reversed_(given)), given)
    assert all(OTHER_SIDE.get(move, move) in CAMERAS for move in CAMERAS)


# The table.


def test_what_is_wanted_follows_from_what_is_said():
    said = Said(
        facts=(
            Fact("camera", (), "static"),
            Fact("color", (0,), "red"),
            Fact("color", (1,), "blue"),
            Fact("kind", (0,), "ball"),
            Fact("kind", (1,), "cube"),
            Fact("action", (0,), "hits"),
            Fact("hits", (0, 1), True),
        )
    )
    wanted = {key: want(said) for key, want in WANTED.items()}
    assert wanted == {
        "camera": "static", "permanence": "holds", "gravity": None, "contact": "holds",
        "rigidity": "holds", "time": "red, then blue", "shots": "no cut", "actor": None,
        "seams": "smooth", "drift": "steady", "alive": "moves",
    }  # fmt: skip
    cut = Said(facts=said.facts, cuts=(1.7,))
    assert WANTED["shots"](cut) == "cut at 1.67" and WANTED["actor"](cut) == "same"
    assert WANTED["camera"](cut) is None
    assert WANTED["camera"](Said(facts=said.facts[1:])) is None, "nothing is said of it"
    flies = (Fact("kind", (0,), "dragon"), Fact("action", (0,), "flies"))
    assert WANTED["gravity"](Said(facts=flies)) is None, "it has wings"
    thrown = (Fact("kind", (0,), "ball"), Fact("action", (0,), "flies"))
    assert WANTED["gravity"](Said(facts=thrown)) == "holds"
    walks = Said(facts=(*said.facts, Fact("kind", (2,), "dog")))
    assert WANTED["rigidity"](walks) is None, "limbs swing"
    still = Said(facts=(Fact("camera", (), "static"), Fact("action", (0,), "rests")))
    assert WANTED["alive"](still) is None


def test_a_short_clip_breaks_no_line():
    seen = clip(("red", STAYS, 9))
    for frames in (1, 2, 3):
        short = Look(
            frames=seen.frames[:frames],
            x=seen.x[:frames],
            sight=Sight(*(part[:frames] for part in seen.sight)),
        )
        for line in LINES:
            assert isinstance(line.read(short), Answer), line.key


def test_flow_of_one_frame_is_none():
    seen = clip()
    found = flow.background(seen.x[:1], Sight(*(part[:1] for part in seen.sight)))
    assert found.motion.shape == (0, 5, 3) and found.stands
