"""Of whom it is said: what is said of one thing is read for no other, and of all for all."""

import pytest

from worldreel.prompt import rewrite
from worldreel.prompt.pieces import MAPPED, READ, SILENCE
from worldreel.prompt.understanding import Understood, understand

pytestmark = pytest.mark.usefixtures("one_thread")


def fates(found: Understood) -> dict[str, str]:
    return {piece.typed.lower(): piece.fate for piece in found.account.pieces}


def understood(found: Understood) -> set[str]:
    """What was read, or taken for a near word, as it was typed."""
    return {p.typed.lower() for p in found.account.pieces if p.fate in (READ, MAPPED)}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "prompt",
    ["两个方块叠在一起", "两个球叠在一起", "三个方块叠在一起", "两个方块叠在桌子上",
     "两个球撞在一起",
     "two cubes land on a table", "two balls collide", "three balls fall onto the floor"],
)  # fmt: skip
def test_what_takes_two_is_written_without_the_other(marble, prompt, seed):
    assert rewrite(marble, prompt, seed=seed, name="marble").text


@pytest.mark.parametrize(
    ("prompt", "facts"),
    [
        ("a cone, a cylinder and a ring, all matte grey", {f"color{i}": "grey" for i in range(3)}),
        ("a cone and a ring, both grey", {"color0": "grey", "color1": "grey"}),
        ("a cone and a ring are red", {"color0": "red", "color1": "red"}),
        ("圆锥和圆环都是灰色的", {"color0": "grey", "color1": "grey"}),
        ("a robot and a dog walk side by side to the right",
         {"action0": "walks", "action1": "walks", "direction0": "right", "direction1": "right"}),
        ("机器人和狗一起向右走", {"direction0": "right", "direction1": "right"}),
        ("a red ball, then a blue ball, then a green ball roll past",
         {"action0": "rolls", "action1": "rolls"}),
        ("a man and a woman jump", {"event0": "jumps", "event1": "jumps"}),
        ("a ball rolls in from the right", {"action0": "rolls", "direction0": "left"}),
        ("a ball comes from the right", {"direction0": "left"}),
        ("a ball rolls from the right to the left", {"direction0": "left"}),
        ("两个球从右边滚过来", {"direction0": "left", "direction1": "left"}),
        ("一辆汽车从左边开过", {"action0": "drives", "direction0": "right"}),
        ("两个球从左边滚到右边", {"direction0": "right"}),
        ("a 1970s home video of kids jumping", {"count": "2"}),
        ("a cube that is neither red nor blue slides to the left", {"action0": "slides"}),
        ("a dragon without wings swims in the ocean", {"action0": "swims"}),
        ("a ball with no red stripes rolls", {"action0": "rolls"}),
        ("汽车飞来飞去", {"action0": "flies"}),
        ("a robot inside of a spaceship", {"setting": "space station"}),
        ("a woman runs away from the camera", {"direction0": "away"}),
        ("an orange ball on a table", {"color0": "orange"}),
        ("the one red ball rolls", {"color0": "red", "action0": "rolls"}),
        ("一辆奔驰的车", {"action0": "drives"}),
    ],
)  # fmt: skip
def test_what_is_said_is_in_the_scene(marble, prompt, facts):
    slots = understand(marble, prompt).slots
    assert {name: slots.get(name) for name in facts} == facts


@pytest.mark.parametrize(
    ("prompt", "told", "unsaid"),
    [
        ("three cubes, the top one is red", {"the top one", "red"}, "color"),
        ("five dogs run on the beach, two of them are black", {"two of them", "black"}, "color"),
        ("one of the balls is red", {"one of the", "red"}, "color"),
        ("三个球，其中一个是红色的", {"其中一个", "红色"}, "color"),
        ("the ball on the left is red and the one on the right is green",
         {"the one", "green"}, ""),
        ("a woman runs away from a dragon", {"away", "from"}, "direction"),
        ("a woman runs closer to a dragon", {"closer", "to"}, "direction"),
        ("an orange, on a table", {"orange"}, "color"),
        ("特写：一滴水落在木桌上", {"水", "落在"}, "action"),
        ("two robots shake hands in front of a spaceship", {"spaceship", "of"}, "setting"),
        ("汽车飞来飞去", set(), "direction"),
        ("奔驰车在马路上", {"奔驰"}, "action"),
        ("没有颜色的方块叠在一起", {"叠在"}, "action"),
        ("push in on a dog that's barking at the camera", {"at", "camera"}, ""),
        ("镜头推近，一只狗对着镜头叫", {"镜头"}, ""),
        ("someone throws a snowball at a robot", {"throws"}, "action"),
        ("a robot, filmed from the left, waves", {"from the left"}, "direction"),
        ("neon, blade runner vibes", {"blade runner vibes"}, "kind"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_scene_is_told(marble, prompt, told, unsaid):
    found = understand(marble, prompt)
    assert told <= fates(found).keys()
    assert not told & understood(found)
    assert not (unsaid and any(slot.startswith(unsaid) for slot in found.slots))


def test_what_only_some_of_them_can_do_is_told(marble):
    """Of a train that cannot wave nothing is drawn, nor is it said that it waves."""
    found = understand(marble, "a man and a train wave")
    slots = found.slots
    waving = [slots.get(f"event{i}") == "waves" for i in range(2)]
    assert all(waving) or "wave" not in understood(found)


@pytest.mark.parametrize(
    ("prompt", "camera"),
    [
        ("camera pans to the right, a blue cube rests in a meadow", "pan_right"),
        ("camera orbits to the left, a dog", "orbit_left"),
        ("camera still, a red ball rolls to the left", "static"),
        ("the camera is still, a red ball rolls to the left", "static"),
    ],
)
def test_a_camera_without_an_article_is_the_camera(marble, prompt, camera):
    found = understand(marble, prompt)
    assert found.slots["camera"] == camera
    assert all(piece.fate in (READ, SILENCE) for piece in found.account.pieces)
