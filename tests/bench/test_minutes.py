"""Cost against length: what is concluded from windows, and the run itself at its smallest."""

import json

import pytest

from worldreel.bench import minutes, page
from worldreel.cli import main

pytestmark = pytest.mark.usefixtures("one_thread")


def made_up(wall, count=10):
    """Windows of 4 s at 16 frames a second, and what each took in all."""
    return [
        {"frames": 64 * n + 1, "fps": 16, "wall": wall(4 * n), "peak": 2**30 + n}
        for n in range(1, count + 1)
    ]


def test_a_line_is_told_from_a_curve():
    found = minutes.concluded(made_up(lambda s: 3 + 2 * s), (5, 40))
    assert found["each"] == pytest.approx(2) and found["start"] == pytest.approx(3, abs=0.2)
    assert found["apart"] < 1e-6
    assert [(r["seconds"], r["windows"], r["wall"]) for r in found["rows"]] == [
        (5, 2, 19),
        (40, 10, 83),
    ]
    assert found["memory_growth"] == pytest.approx(1)
    late = minutes.concluded([w | {"wall": 9 * (i == 0) + w["wall"]} for i, w in
                              enumerate(made_up(lambda s: 3 + 2 * s))], (5,))  # fmt: skip
    assert late["each"] == pytest.approx(2)  # the first window warms up
    bent = minutes.concluded(made_up(lambda s: 0.1 * s * s), (5, 40))
    assert bent["apart"] > 0.05


def test_the_smallest_run_is_written_into_its_place(tmp_path, monkeypatch, capsys):
    def here(name, told):
        found = []
        for window in minutes.windows(name):
            found.append(json.loads(json.dumps(window)))
            told("stream", window["frames"], window["of"])
        assert [w["frames"] for w in found] == [9, 13, 17, 21, 25]
        return minutes.concluded(found, minutes.SIZES[name]["seconds"])

    monkeypatch.setattr(minutes, "measured", here)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    first, last = page.marks("length")
    (tmp_path / page.PAGE).write_text(f"before\n{first}\nNot run yet.\n\n{last}\nafter\n")
    assert main(["bench", "--races", "length", "--quick", "--json", "-q"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["windows"] for row in told["rows"]] == [2, 3, 5] and told["quick"]
    monkeypatch.setitem(minutes.SIZES, "cpu", minutes.SIZES["quick"])
    assert main(["bench", "--races", "length", "--write", "-q"]) == 0
    text = (tmp_path / page.PAGE).read_text()
    assert text.startswith("before") and text.endswith("after\n") and "Not run" not in text
    assert "| 1.4 | 5 |" in text and "The line is" in text
