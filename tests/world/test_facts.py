"""Laws of facts: what an actor or a thing did is read off the record, whatever was meant."""

import dataclasses
import math

import numpy as np
import pytest

from worldreel.world import record
from worldreel.world.act import act, reflect
from worldreel.world.actors import RIGS
from worldreel.world.facts import Fact, facts
from worldreel.world.scene import OTHER_SIDE, Camera, Scene, Thing, mirror
from worldreel.world.verdict import confirm

WAVERS = [kind for kind, rig in RIGS.items() if "waves" in rig.events]
JUMPERS = [kind for kind, rig in RIGS.items() if "jumps" in rig.events]
HEADING = {"right": 0.0, "left": math.pi, "away": math.pi / 2, "toward": -math.pi / 2}


def _scene(*things, setting="meadow", **changes) -> Scene:
    camera = Camera(move="static", eye=(0.0, -5.0, 1.4), look_at=(0.0, 0.0, 0.6))
    return Scene(seed=1, setting=setting, light="noon", things=things, camera=camera, **changes)


def _actor(kind, speed=0.0, way="right", x=0.0, **changes) -> Thing:
    """An actor of medium size that goes at `speed`, and is meant to do nothing."""
    rig, angle = RIGS[kind], HEADING[way]
    values = dict(kind=kind, color="red", size="medium", material="matte", extent=rig.size)
    values |= dict(
        position=(x, 0.0, rig.size[2] + rig.float_),
        rotation=(math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)),
        velocity=(speed * math.cos(angle), speed * math.sin(angle), 0.0),
    )
    return Thing(**values | changes)


def _thing(kind, extent, x=0.0, **changes) -> Thing:
    values = dict(kind=kind, color="blue", size="medium", material="matte", extent=extent)
    return Thing(**values | dict(position=(x, 0.0, extent[2])) | changes)


def _said(take) -> dict:
    return {(fact.name, *fact.args): fact.value for fact in facts(take)}


@pytest.mark.parametrize("kind", RIGS)
def test_an_actors_speed_is_its_action(kind):
    rig = RIGS[kind]
    for manner, speed in zip(rig.goes, rig.speed, strict=True):
        assert _said(act(_scene(_actor(kind, speed))))["action", 0] == manner
    assert _said(act(_scene(_actor(kind))))["action", 0] == rig.stands


@pytest.mark.parametrize("way", HEADING)
def test_a_direction_is_the_viewers(way):
    take = act(_scene(_actor("man", 1.0, way)))
    assert _said(take)["direction", 0] == way
    assert _said(reflect(take))["direction", 0] == OTHER_SIDE.get(way, way)


@pytest.mark.parametrize("kind", RIGS)
@pytest.mark.parametrize("event", ["stops", "turns"])
def test_an_event_is_read_off_the_record_and_off_nothing_else(kind, event):
    rig = RIGS[kind]
    going = _actor(kind, rig.speed[1])
    take = act(_scene(dataclasses.replace(going, event=event, at=0.9), seconds=4.0))
    assert _said(take).get(("event", 0)) == event
    assert _said(take)["direction", 0] == "right"
    plain = act(_scene(going, seconds=4.0))
    assert ("event", 0) not in _said(plain)
    # The same record under other intentions.
    silent = dataclasses.replace(take, scene=_scene(going, seconds=4.0))
    assert _said(silent)["event", 0] == event


@pytest.mark.parametrize("kind", WAVERS)
def test_a_wave_is_a_hand_that_swings(kind):
    for speed in (0.0, *RIGS[kind].speed):
        moving = _actor(kind, speed)
        waving = dataclasses.replace(moving, event="waves", at=0.1)
        assert _said(act(_scene(waving)))["event", 0] == "waves"
        assert ("event", 0) not in _said(act(_scene(moving)))
        late = dataclasses.replace(waving, at=1.3)  # there is time for half a wave
        assert ("event", 0) not in _said(act(_scene(late)))


@pytest.mark.parametrize("kind", JUMPERS)
def test_a_jump_leaves_the_ground_and_comes_back(kind):
    jumping = _actor(kind, event="jumps", at=0.5)
    take = act(_scene(jumping))
    assert _said(take)["event", 0] == "jumps"
    assert record.jumped(take, 0) == pytest.approx(6, abs=1)
    cut = act(_scene(jumping, seconds=0.75))
    assert ("event", 0) not in _said(cut)


def test_keys_are_seen_only_in_what_they_do():
    keys = ("right", "right", "right", "left", "left", "left")
    said = _said(act(_scene(_actor("woman", way="right"), keys=keys)))
    assert (said["action", 0], said["event", 0], said["direction", 0]) == (
        "walks",
        "turns",
        "right",
    )


def test_a_row_that_was_struck_topples_after_it_was_hit():
    ball = _thing("ball", (0.35,) * 3, -1.9, velocity=(1.9, 0, 0), spin=(0, 1.9 / 0.35, 0))
    ball = dataclasses.replace(ball, action="hits", target=1)
    row = _thing("dominoes", (0.8, 0.18, 0.32), 0.2, pieces=5)
    take = act(_scene(ball, row, setting="wooden table"))
    said = _said(take)
    assert said["hits", 0, 1] and said["topples", 1] and said["before", "hits", "topples"]
    assert said["action", 1] == "topples" and said["manner", 0] == "rolls"
    # One after another, from where it was struck.
    fell = record.fallen(take, 1)
    first = [int(np.argmax(piece)) for piece in fell.T]
    assert fell[-1].all() and first == sorted(first)
    assert min(first) >= record.struck(take)[0, 1]
    alone = _said(act(_scene(row)))
    assert alone["action", 0] == "rests" and ("topples", 0) not in alone


def test_a_row_tips_the_way_it_falls():
    push = 1.6
    for way, angle in (("right", 0.3), ("left", math.pi - 0.3)):
        ahead = np.array([math.cos(angle), math.sin(angle), 0.0])
        row = _thing(
            "dominoes",
            (0.7, 0.18, 0.32),
            pieces=5,
            rotation=(math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)),
            velocity=tuple(push * 0.32 * ahead),
            spin=(-push * ahead[1], push * ahead[0], 0.0),
        )
        said = _said(act(_scene(row)))
        assert (said["action", 0], said["topples", 0], said["direction", 0]) == (
            "topples",
            True,
            way,
        )


def test_a_stack_that_is_hardly_touched_does_not_topple():
    stack = _thing("blocks", (0.2, 0.2, 0.6), 0.6, pieces=3)
    for speed, falls in ((0.5, False), (2.8, True)):
        ball = _thing("ball", (0.35,) * 3, -0.3, velocity=(speed, 0, 0), spin=(0, speed / 0.35, 0))
        ball = dataclasses.replace(ball, action="hits", target=1)
        assert (("topples", 1) in _said(act(_scene(ball, stack)))) is falls


def test_what_comes_to_lie_on_another_is_on_it_and_what_falls_beside_it_is_not():
    cube = _thing("cube", (0.3,) * 3)
    above = _thing("cube", (0.25,) * 3, 0.03, position=(0.03, 0.0, 1.2), action="stacks", target=1)
    said = _said(act(_scene(above, cube)))
    assert said["action", 0] == "stacks" and said["onto", 0, 1] and said["action", 1] == "rests"
    assert ("hits", 0, 1) not in said
    beside = dataclasses.replace(above, position=(0.9, 0.0, 1.2))
    said = _said(act(_scene(beside, cube)))
    assert ("onto", 0, 1) not in said and said["action", 0] == "falls"


def test_what_goes_up_and_over_flies_and_what_drops_falls():
    ball = _thing("ball", (0.3,) * 3, position=(-1.5, 0.0, 0.8), action="flies")
    thrown = dataclasses.replace(ball, velocity=(2.0, 0.0, 3.0))
    said = _said(act(_scene(thrown)))
    assert (said["action", 0], said["direction", 0]) == ("flies", "right")
    dropped = dataclasses.replace(ball, position=(-1.5, 0.0, 1.6))
    said = _said(act(_scene(dropped)))
    assert said["action", 0] == "falls" and ("direction", 0) not in said


def test_a_ring_rolls_on_its_rim_and_rests_on_its_side():
    standing = (math.cos(math.pi / 4), math.sin(math.pi / 4), 0.0, 0.0)
    ring = _thing("ring", (0.4, 0.4, 0.09), position=(-1.0, 0.0, 0.4), rotation=standing)
    rolling = dataclasses.replace(ring, velocity=(1.2, 0, 0), spin=(0, 3.0, 0), action="rolls")
    take = act(_scene(rolling))
    assert (_said(take)["action", 0], _said(take)["direction", 0]) == ("rolls", "right")
    # It loses what its ground takes, and no more.
    time = np.arange(take.num_frames) / take.fps
    went = record.path(take, 0)[:, 0] + 1.0
    assert np.allclose(went, 1.2 * time - 0.30 * time**2 / 2, atol=0.05)
    assert _said(act(_scene(_thing("ring", (0.4, 0.4, 0.09)))))["action", 0] == "rests"


def test_sides_are_of_all_that_rest_and_are_unlike():
    things = [
        _thing("ball", (0.3,) * 3, -1.5),
        _actor("man", x=0.0, way="toward", action="stands"),
        _thing("cube", (0.3,) * 3, 1.4),
        _thing("cube", (0.3,) * 3, 2.2),
    ]
    said = _said(act(_scene(*things)))
    assert {key[1:]: side for key, side in said.items() if key[0] == "side"} == {
        (0, 1): "left",
        (0, 2): "left",
        (0, 3): "left",
        (1, 2): "left",
        (1, 3): "left",
    }
    assert said["count", "cube", "blue"] == 2 and said["count", "man", "red"] == 1
    assert ("material", 0) in said and ("material", 1) not in said


def test_no_colour_is_stated_where_none_is_seen():
    things = _thing("ball", (0.3,) * 3, -1.0), _thing("ball", (0.3,) * 3, 1.0, color="red")
    take = act(_scene(*things, style="black and white"))
    said = _said(take)
    assert not any(key[0] == "color" for key in said)
    assert said["count", "ball"] == 2 and said["style",] == "black and white"
    assert not any(key[0] == "side" for key in said)  # nothing tells the two apart
    colored = _said(act(_scene(*things)))
    assert colored["side", 0, 1] == "left" and colored["color", 1] == "red"


def test_a_twins_facts_have_left_and_right_swapped():
    scene = _scene(_actor("dog", 0.9), _thing("ball", (0.3,) * 3, 2.0), _thing("cone", (0.3,) * 3))
    take = act(scene)
    other = {fact: OTHER_SIDE.get(fact.value, fact.value) for fact in facts(take)}
    assert facts(act(mirror(scene))) == tuple(
        dataclasses.replace(fact, value=value) for fact, value in other.items()
    )


def test_facts_round_trip_as_json():
    take = act(_scene(_actor("man", 1.0, event="stops", at=0.8)))
    assert tuple(Fact.from_list(fact.to_list()) for fact in facts(take)) == facts(take)


def test_what_was_not_done_is_not_confirmed():
    walks = _actor("woman", 0.9, x=-0.9, action="walks", direction="right")
    assert confirm(act(_scene(walks))) is None
    for changes in (
        {"action": "runs"},
        {"direction": "left"},
        {"event": "waves", "at": 1.9},
        {"position": (1.6, 0.0, 0.65)},  # it leaves the picture
    ):
        wrong = confirm(act(_scene(dataclasses.replace(walks, **changes))))
        assert wrong is not None, changes
    beside = _thing("ball", (0.3,) * 3, 0.0)  # in its way
    assert "through" in (confirm(act(_scene(walks, beside))) or "")
    hidden = _thing("cube", (0.4,) * 3, 0.0, position=(-0.9, 1.5, 0.4))
    assert "hides" in (confirm(act(_scene(walks, hidden))) or "")
