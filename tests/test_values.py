"""What people write, as values, or one line that says what is expected."""

import pytest

from worldreel.errors import RequestError
from worldreel.values import (
    parse_canvas,
    parse_keyframe,
    parse_region,
    parse_span,
    parse_time,
    written_keyframe,
)


def test_times_are_seconds_or_frames():
    for time in (1.5, "1.5", "1.5s", " 18f ", "18F".lower()):
        assert parse_time(time, 12) == 18
    for span in ("0.5:1.5", (0.5, 1.5), ["6f", 1.5], "6f:18f"):
        assert parse_span(span, 12) == (6, 18)
    assert parse_span(":1", 12) == (0, 12) and parse_span("1:", 12) == (12, None)
    assert parse_span(":", 12) == parse_span((None, None), 12) == (0, None)


def test_regions_and_canvases():
    assert parse_region("16, 0,64,48") == parse_region([16, 0, 64, 48]) == (16, 0, 64, 48)
    assert parse_canvas("256x144") == parse_canvas((256, 144)) == ((256, 144), None)
    assert parse_canvas("256x144+0+32") == ((256, 144), (0, 32))


def test_keyframes():
    assert written_keyframe("1.5:a.png") == ("1.5", "a.png", 1.0)
    assert written_keyframe("18f:my/a:b.png:.5") == ("18f", "my/a:b.png", 0.5)
    assert written_keyframe("0:C:\\a.png") == ("0", "C:\\a.png", 1.0)
    assert parse_keyframe((1, "a.png")) == (1, "a.png", 1.0)


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        *(
            (lambda v: parse_time(v, 12), v)
            for v in (-1, "", "-1", "x", "1m", None, True, "9" * 99)
        ),
        *((lambda v: parse_span(v, 12), v) for v in ("1", "2:1", "1:1", (1,), 7, "a:b", "1:2:3")),
        *(
            (parse_region, v)
            for v in ("1,2,3", "1,2,3,0", "-1,0,5,5", "a,b,c,d", 7, (1.5, 0, 5, 5))
        ),
        *((parse_canvas, v) for v in ("256", "256x144+1", "256x144+1+2+3", "256x144+a+b", 5)),
        *(
            (parse_keyframe, v)
            for v in ("1:a.png", (1,), (1, "a", 0), (1, "a", 1.1), (1, "a", "b"))
        ),
        *((written_keyframe, v) for v in ("1", "1:", "")),
    ],
)
def test_what_is_none_of_these(parse, value):
    with pytest.raises(RequestError) as caught:
        parse(value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
