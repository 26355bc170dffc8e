"""Figures: intervals against known values, and judgements that follow from what was read."""

import dataclasses

import pytest

from worldreel.eval import metrics
from worldreel.eval.metrics import Asked, Thing, answers, asked, judge, match, wanted
from worldreel.eval.probes import Reading, Seen
from worldreel.world.facts import Fact

BALL = Thing(color="red", kind="ball", motion="left")
CUBE = Thing(color="blue", kind="cube", motion="rests")


def seen(color, kind, motion="rests", x=0.0, count=1):
    return Seen(color=color, kind=kind, count=count, motion=motion, x=x)


def reading(*things, setting="meadow", light="noon"):
    return Reading(setting=setting, light=light, weather="clear", style="render", things=things)


def prompt(*things, side=None, count=None):
    return Asked(things=things, count=count or len(things), setting="meadow", light=None, side=side)


@pytest.mark.parametrize(
    "right, count, low, high",
    [  # Newcombe, Statistics in Medicine 17 (1998), table I, and the closed form at the ends
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_is_the_published_one(right, count, low, high):
    assert metrics.wilson(right, count) == pytest.approx((low, high), abs=6e-5)


def test_no_share_of_more_than_all():
    with pytest.raises(ValueError, match="3 of 2"):
        metrics.wilson(3, 2)


def test_all_right():
    what = prompt(BALL, CUBE)
    good = reading(seen("blue", "cube"), seen("red", "ball", "left"))
    assert set(judge(what, good).values()) == {True}
    assert wanted(what)["side"] == "left" and "light" not in wanted(what)


def test_each_line_falls_alone():
    what = prompt(BALL)
    assert not judge(what, reading(seen("green", "ball", "left")))["colour"]
    wrong = judge(what, reading(seen("red", "cone", "right"), setting="snowfield"))
    assert wrong == {
        "colour": True,
        "kind": False,
        "count": True,
        "setting": False,
        "motion": False,
        "side": False,
    }
    assert not judge(what, reading(seen("red", "ball", "left", count=2)))["count"]


def test_nothing_is_never_right():
    empty = Reading(setting=None, light=None, weather=None, style=None, things=())
    assert not any(judge(prompt(BALL, CUBE, side="left"), empty).values())
    assert set(answers(prompt(BALL), empty).values()) == {"nothing", "0"}


def test_colours_that_are_swapped_are_no_binding():
    what = prompt(BALL, CUBE)
    assert judge(what, reading(seen("red", "ball", "left"), seen("blue", "cube")))["binding"]
    swapped = reading(seen("blue", "ball", "left"), seen("red", "cube"))
    assert answers(what, swapped)["binding"] == "swapped" and not judge(what, swapped)["binding"]
    assert judge(what, swapped)["colour"] and not judge(what, swapped)["kind"]
    assert answers(what, reading(seen("red", "ball")))["binding"] == "nothing"
    alike = Thing(color="blue", kind="ball", motion=None)
    assert "binding" not in wanted(prompt(BALL, alike)), "a swap would not show"


def test_weather_and_style_are_lines_where_they_are_said():
    what = dataclasses.replace(prompt(BALL), weather="fog", style="watercolour")
    clear = reading(seen("red", "ball", "left"))
    assert (judge(what, clear)["weather"], judge(what, clear)["style"]) == (False, False)
    assert {"weather", "style"}.isdisjoint(judge(prompt(BALL), clear))


def test_without_colours_things_are_told_by_kind():
    grey = Thing(color=None, kind="dog", motion="left")
    other = Thing(color=None, kind="cone", motion=None)
    here = reading(seen(None, "cone", x=0.5), seen(None, "dog", "left"))
    judged = judge(prompt(grey, other, side="left"), here)
    assert set(judged) == {"kind", "second kind", "count", "setting", "motion", "side"}
    assert all(judged.values())


def test_every_colour_at_once_is_no_answer():
    crowd = reading(seen("green", "cone"), seen("blue", "cone"), seen("red", "ball", "left"))
    assert not judge(prompt(BALL), crowd)["colour"]
    assert match(prompt(BALL, CUBE), crowd)[0] is crowd.things[0]


def test_places_are_told_apart():
    resting = Thing(color="red", kind="ball", motion=None)
    here = reading(seen("red", "ball", x=-0.4), seen("blue", "cube", x=0.3))
    assert judge(prompt(resting, CUBE, side="left"), here)["side"]
    assert not judge(prompt(resting, CUBE, side="right"), here)["side"]
    assert not judge(prompt(resting, CUBE, side="left"), reading(here.things[0]))["side"]


def test_what_a_prompt_asks_for_follows_from_its_facts():
    facts = [
        Fact("kind", (1,), "cone"),
        Fact("color", (1,), "pink"),
        Fact("count", ("cone", "pink"), 1),
        Fact("kind", (0,), "cube"),
        Fact("color", (0,), "green"),
        Fact("count", ("cube", "green"), 1),
        Fact("side", (1, 0), "left"),
        Fact("action", (0,), "rests"),
        Fact("setting", (), "meadow"),
    ]
    found = asked(facts)
    assert [thing.color for thing in found.things] == ["green", "pink"]
    assert (found.side, found.count, found.setting, found.light) == ("right", 2, "meadow", None)
    assert found.things[0].motion == "rests" and found.things[1].motion is None


def test_two_alike_are_one_entry():
    facts = [Fact(n, (i,), v) for i in (0, 1) for n, v in (("kind", "ball"), ("color", "red"))]
    found = asked([*facts, Fact("count", ("ball", "red"), 2)])
    assert len(found.things) == 1 and found.count == 2
    assert judge(found, reading(seen("red", "ball", count=2)))["count"]


def side(one, other, value):
    return Fact("side", (one, other), value)


def test_a_side_is_asked_where_all_that_are_alike_stand_on_it():
    facts = [
        Fact(name, (i,), value)
        for i, look in enumerate((("cube", "blue"), ("ball", "red"), ("ball", "red")))
        for name, value in zip(("kind", "color"), look, strict=True)
    ]
    both = asked([*facts, side(1, 0, "left"), side(0, 2, "right")])
    assert (both.side, both.beside) == ("right", (0, 1))
    assert [thing.count for thing in both.things] == [1, 2]
    assert asked([*facts, side(0, 1, "right"), side(0, 2, "left")]).side is None
    assert asked([*facts, side(0, 1, "right")]).side is None
    third = Fact("kind", (3,), "cone"), Fact("color", (3,), "pink")
    assert asked([*facts, *third, side(3, 0, "left")]).beside == (0, 2)


def test_what_stands_rests():
    facts = [Fact("kind", (0,), "dog"), Fact("color", (0,), "red"), Fact("action", (0,), "stands")]
    assert asked(facts).things[0].motion == "rests"


def test_tallies_add_up():
    rows = metrics.tally([{"kind": True, "colour": False}, {"kind": False}])
    assert list(rows) == ["colour", "kind"]
    assert (rows["kind"]["right"], rows["kind"]["count"], rows["kind"]["share"]) == (1, 2, 0.5)
    assert metrics.confusion([("a", "b"), ("a", "b"), ("c", "c")]) == {"a": {"b": 2}, "c": {"c": 1}}
    assert sorted(metrics.shifted([1, 2, 3])) == [1, 2, 3]
    assert all(a != b for a, b in zip(metrics.shifted([1, 2, 3]), [1, 2, 3], strict=True))
