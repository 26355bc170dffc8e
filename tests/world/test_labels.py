"""Laws of labels: one class per slot, which follows from what is said and not from the scene."""

import numpy as np

from worldreel.world.act import stage_scene
from worldreel.world.describe import captions_of, facts
from worldreel.world.facts import Fact
from worldreel.world.labels import LABELS, labels
from worldreel.world.words import LANGUAGES


def said(**slots):
    """Labels by name, those that are said."""
    return slots


def read(stated, **options):
    found = labels(stated, **options)
    assert set(found) == set(LABELS)
    return {slot: LABELS[slot][value] for slot, value in found.items() if value}


def thing(index, kind, color=None, **more):
    stated = [Fact("kind", (index,), kind)]
    stated += [Fact("color", (index,), color)] if color else []
    return [*stated, *(Fact(name, (index,), value) for name, value in more.items())]


def test_labels_are_the_stated_facts(drawn):
    for number, known in enumerate(drawn):
        rng = np.random.default_rng(number)
        for language in LANGUAGES:
            (caption,) = captions_of(known, rng, count=1, language=language)
            found = read(caption.facts)
            by = {(fact.name, *fact.args): fact.value for fact in caption.facts}
            for name in ("setting", "light", "weather", "style", "camera"):
                assert found.get(name) == by.get((name,))
            kinds = [fact.value for fact in caption.facts if fact.name == "kind"]
            assert found["count"] == str(len(kinds))
            assert sorted(found[f"kind{i}"] for i in range(len(kinds))) == sorted(kinds)
            colors = [fact.value for fact in caption.facts if fact.name == "color"]
            assert sorted(v for slot, v in found.items() if slot[:-1] == "color") == sorted(colors)
            assert "shots" not in found


def test_labels_of_all_facts():
    for seed in range(200, 206):
        take = stage_scene(seed)
        assert labels(take) == labels(facts(take))


def test_who_acts_is_thing_0_else_who_is_named_first():
    still, moving = thing(0, "cube", action="rests"), thing(1, "dog", action="runs")
    assert read(still + moving)["kind0"] == "dog"
    assert read(moving + still)["kind0"] == "dog"
    other = thing(1, "car", action="stands")
    assert read(still + other)["kind0"] == "cube"
    assert read(other + still)["kind0"] == "car"


def test_what_is_hit_is_thing_1():
    stated = [
        *thing(2, "blocks", action="topples"), *thing(0, "cone", action="rolls"),
        *thing(1, "ball", "red", action="hits", manner="rolls"),
        Fact("topples", (2,), True), Fact("hits", (1, 2), True),
    ]  # fmt: skip
    found = read(stated)
    # The cone acts and is named first; the ball's target is the ball's, not the cone's.
    assert found["kind0"] == "cone" and found["kind1"] == "ball" and found["kind2"] == "blocks"
    found = read([fact for fact in stated if fact.args != (0,)])
    assert (found["kind0"], found["kind1"]) == ("ball", "blocks")
    assert (found["action0"], found["manner0"], found["action1"]) == ("hits", "rolls", "topples")


def test_a_side_is_seen_from_thing_0():
    kinds = (Fact("kind", (0,), "ball"), Fact("kind", (1,), "cube"))
    side = Fact("side", (0, 1), "left")
    assert read((*kinds, side))["side"] == "left"
    turned = read((*kinds[::-1], side))
    assert turned["side"] == "right" and turned["kind0"] == "cube"


def test_things_are_counted_by_what_they_are_called():
    stated = [fact for i in range(3) for fact in thing(i, "ball", "red")] + thing(3, "cube", "blue")
    found = read(stated)
    assert found["count"] == "4"
    assert [found[f"count{i}"] for i in range(4)] == ["3", "3", "3", "1"]
    assert [found[f"kind{i}"] for i in range(4)] == ["ball", "ball", "ball", "cube"]


def test_the_first_of_two_events_counts():
    stated = [*thing(0, "woman", action="walks"), Fact("event", (0,), "stops")]
    assert read([*stated, Fact("event", (0,), "waves")])["event0"] == "stops"


def test_shots_are_told_from_without():
    assert read(thing(0, "dog"), shots=3) == said(kind0="dog", count="1", count0="1", shots="3")
    assert read([]) == {}
