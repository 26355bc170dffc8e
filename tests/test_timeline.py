"""Where parts stand in time: what is painted is always shown, and never more than there is room."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from worldreel.request import Limits, Request
from worldreel.timeline import CONTEXT, lay

MARBLE = Limits()  # 30 latents at once, 12 in training


def clip(num_frames: int, hidden: int = 0) -> Any:
    """What `lay` asks of a clip."""
    return SimpleNamespace(
        name="a.mp4",
        num_frames=num_frames,
        num_latents=-(-(num_frames + hidden) // 4),
        hidden=hidden,
        rest=-(num_frames + hidden) % 4,
        ring=False,
    )


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 400), st.integers(0, 400), st.integers(0, 3), st.integers(1, 28), st.booleans()
)
def test_a_window_holds_what_is_painted_and_its_neighbours(before, after, hidden, new, ring):
    after = 0 if ring else after
    clips = {"before": clip(before, hidden) if before else None}
    clips["after"] = clip(after) if after else None
    line = lay(Request(prompt="x", ring=ring, **clips), 4 * new, MARBLE)
    start, count = line.window
    shown = [(start + i) % line.num_latents for i in range(count)]
    painted = list(range(*line.paint))
    assert set(painted) <= set(shown) and len(set(shown)) == count <= line.num_latents
    assert count <= 30 + (line.hidden > 0)
    assert len(painted) == new and line.num_latents == line.lead + new + line.trail
    assert 0 < line.num_frames <= 4 * line.num_latents - line.hidden
    if ring:
        assert line.num_frames == 4 * line.num_latents and line.hidden == 0
    for there, beside in ((line.lead, painted[0] - 1), (line.trail, painted[-1] + 1)):
        assert not there or beside % line.num_latents in shown
    if line.lead >= 30 and not (line.trail or ring):
        assert count == min(30 + (line.hidden > 0), max(12, new + CONTEXT))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 112), st.integers(0, 3), st.data())
def test_a_span_is_widened_to_whole_latents(num_frames, hidden, data):
    under = clip(num_frames, hidden)
    first = data.draw(st.integers(0, num_frames - 1))
    stop = data.draw(st.integers(first + 1, num_frames))
    line = lay(Request(prompt="x", under=under, time=f"{first}f:{stop}f"), 0, MARBLE)
    a, b = (4 * at - hidden for at in line.paint)
    assert a <= first < a + 4 and b - 4 < stop <= b
    assert line.num_frames == num_frames and line.hidden == hidden
    wide = max(a, 0), min(b, num_frames)
    assert bool(line.notes) == (wide != (first, stop))


def test_all_of_the_longest_clip_from_a_picture_may_be_changed():
    line = lay(Request(prompt="x", under=clip(120, 3)), 0, MARBLE)
    assert line.window == (0, 31)
