"""Laws of the log: what is written is read, a resumed run repeats no step, curves are drawn."""

import math
import xml.etree.ElementTree as ET

from worldreel.train import log
from worldreel.train.log import Log


def test_lines_are_read_back_and_told(tmp_path, capsys):
    with Log(tmp_path, total=3) as run:
        for step in (1, 2, 3):
            run.write(step, loss=1 / step, norm=math.nan if step == 2 else 1.0)
    lines = log.read(tmp_path)
    assert [line["loss"] for line in lines] == [1.0, 0.5, 1 / 3]
    assert lines[1]["norm"] is None
    told = capsys.readouterr().err
    assert "3/3" in told and "loss 0.3333" in told and "left" in told


def test_resuming_drops_later_steps_and_a_torn_line(tmp_path):
    with Log(tmp_path, total=9) as run:
        for step in range(1, 6):
            run.write(step, loss=float(step))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    with Log(tmp_path, total=9, step=3) as run:
        run.write(4, loss=40.0)
    assert [(x["step"], x["loss"]) for x in log.read(tmp_path)] == [
        (1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0),
    ]  # fmt: skip


def test_curves_are_drawn_with_round_ticks(tmp_path):
    with Log(tmp_path, total=100) as run:
        for step in range(1, 101):
            run.write(step, loss=math.exp(-step / 15), **({"a<b": 0.9} if step == 50 else {}))
    root = ET.fromstring(log.plot(tmp_path).read_text())
    text = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "loss (log)" in text and "a<b" in text
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 4
    assert log.plot(tmp_path, names=[]).exists()
    assert log._ticks(0.0, 100.0) == [0, 20, 40, 60, 80, 100]


def test_seconds_go_on_where_the_run_was_stopped(tmp_path):
    with Log(tmp_path, total=9) as run:
        run.began -= 100
        run.began_computing -= 40
        run.write(2, loss=1.0)
        run.began -= 50
        run.write(4, loss=1.0)
    with Log(tmp_path, total=9, step=3) as run:  # what came after step 3 was lost
        assert 100 <= run.seconds < 110 and 40 <= run.processor < 50
        run.write(4, loss=1.0)
    last = log.read(tmp_path)[-1]
    assert 100 <= last["seconds"] < 110 and 40 <= last["processor"] < 50
