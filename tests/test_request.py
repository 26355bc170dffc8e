"""A request becomes a plan, or one line that says why not."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import worldreel
from worldreel.errors import RequestError
from worldreel.request import Limits, Request, check, plan
from worldreel.tasks import by_name
from worldreel.values import parse_aspect, parse_size

MARBLE = Limits()
UNKNOWN = Limits(trained_sizes=(), trained_seconds=None)  # a model that does not tell


def planned(**asked):
    return plan(Request(**{"prompt": "a red ball", **asked}), MARBLE)


def refused(**asked) -> str:
    with pytest.raises(RequestError) as caught:
        planned(**asked)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    return message


def test_a_bare_prompt_is_enough():
    made = planned(prompt="  a red ball \n")
    assert (made.prompt, made.width, made.height) == ("a red ball", 256, 144)
    assert (made.num_frames, made.seconds, made.seed, made.notes) == (48, 4.0, 0, ())


def test_what_is_rounded_is_said():
    made = planned(seconds=2.1)
    assert made.num_frames == 24
    assert made.notes == ("2.1 s became 24 frames (2.0 s): clips are whole groups of four frames",)
    assert planned(num_frames=10).num_frames == 12
    assert planned(num_frames=1).num_frames == 1
    assert planned(num_frames=1).notes == ()


@settings(max_examples=200, deadline=None)
@given(st.floats(min_value=1e-9, max_value=MARBLE.max_seconds))
def test_seconds_become_the_nearest_whole_groups(seconds):
    made = plan(Request(prompt="a red ball", seconds=seconds), UNKNOWN)
    assert made.num_frames % 4 == 0 and made.num_frames >= 4
    assert made.seconds <= MARBLE.max_seconds
    assert abs(made.num_frames - seconds * 12) <= 2 + 1e-6 or made.num_frames == 4
    assert bool(made.notes) == (abs(made.num_frames - seconds * 12) >= 1e-6)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, -math.inf, 1e9, 10.1, "4", True])
def test_impossible_seconds(seconds):
    refused(seconds=seconds)


@pytest.mark.parametrize("frames", [0, -4, 10**30, 2.5, "8"])
def test_impossible_numbers_of_frames(frames):
    refused(num_frames=frames)


def test_empty_prompts():
    for prompt in ("", "   ", "\n\t"):
        assert "empty" in refused(prompt=prompt)
    refused(prompt=None)
    refused(prompt=b"bytes")
    refused(prompt="\ud800")


def test_a_prompt_of_ten_megabytes():
    assert "10,000,000 characters" in (message := refused(prompt="x" * 10_000_000))
    assert f"{MARBLE.max_prompt_characters:,}" in message
    refused(negative_prompt="x" * 10_000_000)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "1", None, True])
def test_impossible_seeds(seed):
    refused(seed=seed)


def test_numbers_too_long_to_print():
    for name in ("seed", "num_frames", "seconds", "num_inference_steps", "guidance_scale"):
        for number in (10**5000, -(10**5000)):
            refused(**{name: number})


def test_any_integer_type_is_a_seed():
    assert planned(seed=2**64 - 1).seed == 2**64 - 1
    assert type(planned(seed=np.int64(7)).seed) is int


@pytest.mark.parametrize("steps", [0, -1, 10**9, 2.0])
def test_impossible_steps(steps):
    refused(num_inference_steps=steps)


@pytest.mark.parametrize("scale", [-1, math.nan, math.inf, 1e9, 10**400, "7"])
def test_impossible_guidance(scale):
    refused(guidance_scale=scale)


@pytest.mark.parametrize(
    "interval", ["", "0.3", "0.9:0.3", "-0.1:1", "0:2", "nan:1", (0.5,), (0, 10**400), 7, "a:b"]
)
def test_impossible_intervals(interval):
    assert "LOW:HIGH" in refused(guidance_interval=interval)


def test_intervals_are_read():
    assert planned().guidance_interval == (0, 1)
    for written, read in (("0.3:0.9", (0.3, 0.9)), (":0.9", (0, 0.9)), ((0.3, None), (0.3, 1))):
        assert planned(guidance_interval=written).guidance_interval == read


def test_a_size_off_the_grid_names_the_nearest():
    assert "256x144" in refused(size=(250, 140))
    assert "512x64" in refused(size="4096x1")
    assert planned(size="144x80").width == 144
    assert planned(size=(96, 96)).height == 96


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_size_that_a_refusal_names_is_accepted(width, height):
    try:
        made = planned(size=(width, height))
    except RequestError as error:
        named = str(error).rsplit(" ", 1)[1]
        assert "{0.width}x{0.height}".format(planned(size=named)) == named
    else:
        assert (made.width, made.height) == (width, height)


@pytest.mark.parametrize(
    "size", ["", "256", "256x", "axb", "0x0", (0, 0), (1,), (1.5, 2), 7, "9" * 99]
)
def test_what_is_no_size(size):
    refused(size=size)


def test_aspects():
    assert (planned(aspect="9:16").width, planned(aspect="9:16").height) == (80, 144)
    assert planned(aspect="32:18").width == 256
    assert (planned(aspect="1:1").width, planned(aspect="1:1").height) == (96, 96)
    made = planned(aspect="2.39:1")
    assert made.width % 16 == made.height % 16 == 0
    assert abs(math.log(made.width / made.height / 2.39)) < 0.1
    assert abs(math.log(made.width * made.height / (256 * 144))) < 0.2
    for aspect in ("", "16", "0:1", "1:0", "a:b", "100:1", "-1:1", "nan:1", 1.5):
        refused(aspect=aspect)


def test_what_training_never_showed_is_noted():
    """Of the sizes and lengths that a model can make, those that it was not trained on."""
    for asked, note in (
        (dict(), None),
        (dict(size="144x80"), None),
        (dict(seconds=4), None),
        (dict(size="144x96"), "not trained on 144x96 but mostly on 144x80, then on 256x144"),
        (dict(size="144x256"), "not trained on 144x256"),
        (dict(num_frames=52), "up to 4 s, not 4.33 s"),
    ):
        notes = planned(**asked).notes
        assert len(notes) == (note is not None) and (note or "") in "".join(notes)
        assert plan(Request(prompt="x", **asked), UNKNOWN).notes == ()
    one = Limits(name="one", trained_sizes=((96, 96),))
    note = "one was not trained on 256x144 but on 96x96 alone: it may look worse"
    assert plan(Request(prompt="x"), one).notes == (note,)


def test_an_unknown_parameter_names_the_one_that_is_meant():
    @by_name
    def make(prompt, *, seconds=None, num_inference_steps=None, guidance_scale=None, size=None):
        return prompt, seconds

    assert make("a ball", seconds=2) == make(prompt="a ball", seconds=2) == ("a ball", 2)
    for name, meant in (
        ("steps", "num_inference_steps?"),
        ("num_inference_step", "num_inference_steps?"),
        ("guidance", "guidance_scale?"),
        ("second", "seconds?"),
        ("width", "size?"),
        ("generator", "it has prompt, seconds"),  # its seed, had it one
        ("zzz", "it has prompt, seconds"),
        ("z" * 9999, "it has prompt"),
    ):
        with pytest.raises(RequestError, match="make has no parameter") as caught:
            make("a ball", **{name: 1})
        assert str(caught.value).endswith(meant) or meant in str(caught.value)
        assert len(str(caught.value)) < 300
    with pytest.raises(TypeError):  # Python's own
        make()


def test_one_or_the_other():
    refused(seconds=1.0, num_frames=12)
    refused(size=(256, 144), aspect="16:9")


def test_parsers():
    assert (
        parse_size("832 x 480")
        == parse_size("832\u00d7480")
        == parse_size((832, 480))
        == (832, 480)
    )
    assert parse_aspect("16:9") == parse_aspect("1.6/0.9")


def test_a_check_needs_no_model_and_a_plan_is_json():
    check(Request(prompt="x", model="some/folder", size=(1280, 720), seconds=60))
    made = planned(image=np.zeros((2, 2, 3), np.uint8))
    assert made.to_json()["image"] is True and made.to_json()["last_image"] is False


def test_requests_need_no_torch():
    code = "import sys, worldreel.request, worldreel.output; sys.exit('torch' in sys.modules)"
    where = os.environ | {"PYTHONPATH": str(Path(worldreel.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=where).returncode == 0
