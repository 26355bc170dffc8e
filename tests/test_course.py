"""What a stream is asked for: spans of words, groups of latents, and what is refused."""

import json

import pytest

from worldreel.course import Pace, course
from worldreel.errors import RequestError
from worldreel.request import Limits, Request

LIMITS = Limits()


def made(seconds=60.0, then=(), pace=None, chunk=1, **asked):
    return course(Request(prompt="a", seconds=seconds, **asked), then, LIMITS, pace, chunk=chunk)


def test_groups_cover_a_stream_without_gaps():
    for seconds in (1 / 3, 1, 2, 2.4, 3, 60, 3600):
        for pace in (Pace(), Pace(window=5, advance=2), Pace(window=12, advance=1)):
            c = made(seconds, pace=pace)
            spans = [c.group(i) for i in range(c.num_groups)]
            assert spans[0] == (0, pace.window)
            assert all(b[0] == a[1] for a, b in zip(spans, spans[1:], strict=False))
            assert spans[-1][0] < c.num_latents <= spans[-1][1]
            assert sum(map(c.num_frames, range(c.num_groups))) == c.plan.num_frames


def test_a_minute():
    c = made(then=[(20, " b "), (40.1, "c")])
    assert (c.plan.num_frames, c.num_latents, c.num_groups) == (720, 180, 59)
    assert c.spans == ((0, "a"), (60, "b"), (120, "c"))
    assert c.plan.notes[-1] == "the prompt at 40.1 s begins at 40 s"
    assert c.to_json()["then"] == [[20.0, "b"], [40.0, "c"]]
    assert json.loads(json.dumps(c.to_json())) == c.to_json()


def test_it_is_the_same_stream_whatever_its_length():
    assert made(60).to_json() == made(90).to_json()
    others = [
        made(seed=1),
        made(then=[(3, "b")]),
        made(pace=Pace(anchor=2)),
        made(guidance_scale=2),
        made(size="144x80"),
    ]
    assert all(other.to_json() != made().to_json() for other in others)


def test_a_first_picture_has_a_latent_of_equal_frames_before_it():
    for seconds in (0.4, 2, 2.5, 60):
        c = made(seconds, image=1, then=[(seconds / 2, "b")] if seconds > 2 else ())
        frames = [c.frames(i) for i in range(c.num_groups)]
        assert frames[0][0] == 0 and frames[-1][1] == c.plan.num_frames
        assert all(a[1] == b[0] for a, b in zip(frames, frames[1:], strict=False))
        assert c.group(c.num_groups - 1)[0] < c.num_latents <= c.group(c.num_groups - 1)[1]
    assert c.spans == ((0, "a"), (91, "b")) and c.seconds(91) == 361 / 12
    assert "the prompt at 30 s begins at 30.08 s" in c.plan.notes


def test_at_once():
    c = made(num_inference_steps=12, pace=Pace(window=10, advance=2, lag=4))
    assert (c.lag, c.at_once, c.context) == (4, 3, 4)
    c = made(num_inference_steps=12)
    assert (c.lag, c.at_once, c.context) == (12, 1, 3)


def test_a_window_longer_than_training_is_noted():
    note = "marble was trained on clips of up to 4 s, and the window is 4.33 s: it may look worse"
    assert note in made(pace=Pace(window=13)).plan.notes
    assert not any("trained on clips" in n for n in made(3600, size="144x80").plan.notes)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"seconds": 0}, "above zero"),
        ({"seconds": -1}, "above zero"),
        ({"seconds": 1e9}, "too long"),
        ({"then": [(60, "b")]}, "begins after the end, which is at 60 s"),
        ({"then": [(99, "b")]}, "begins after the end"),
        ({"then": [(0, "b")]}, "begin after 0 s"),
        ({"then": [(float("nan"), "b")]}, "begin after 0 s"),
        ({"then": [(20, "b"), (10, "c")]}, "put them in order"),
        ({"then": [(20, "b"), (20.1, "c")]}, "0.33 s"),
        ({"then": [(0.1, "b")]}, "0.33 s"),
        ({"then": [(20, " ")]}, "empty"),
        ({"then": [(20, "b" * 9999)]}, "shorten"),
        ({"last_image": 1}, "a first picture, and no last"),
        ({"keyframes": [(1, 1)]}, "a first picture, and no last"),
        ({"after": 1}, "give no clip"),
        ({"ring": True}, "no loop"),
        ({"pace": Pace(lag=7)}, "give a divisor"),
        ({"pace": Pace(lag=0)}, "give a divisor"),
        ({"pace": Pace(lag=10)}, "give 7 "),
        ({"pace": Pace(window=3)}, "give 4 "),
        ({"pace": Pace(advance=0)}, "at least 1"),
        ({"pace": Pace(anchor=-1)}, "at least 0"),
        ({"pace": Pace(context_level=1)}, "below 1"),
        ({"pace": Pace(window=7), "chunk": 2}, "multiples of 2"),
    ],
)
def test_what_is_refused_in_one_line(asked, says):
    with pytest.raises(RequestError, match=says) as caught:
        made(**asked)
    assert "\n" not in str(caught.value)
