"""Laws of the scaling study: the plan spans three decades, a prediction comes before its run."""

import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from recipes import bench, chart, prediction, scaling
from recipes.prediction import Point, Size
from worldreel.errors import RequestError
from worldreel.eval.scaling import Law

pytestmark = pytest.mark.usefixtures("one_thread")
TRUE = Law(floor=0.25, scales=(30.0, 20.0), exponents=(0.4, 0.35))


def some_sizes():
    """Widths whose costs are about those of the real ones."""
    found = {}
    for width, _, layers in scaling.WIDTHS:
        parameters = 16 * layers * width**2
        flops = 6.0 * 270 * parameters
        found[width] = Size(
            settings={"preset.dim": str(width)}, parameters=parameters, flops=flops,
            seconds=16 * flops / 1.8e11,
        )  # fmt: skip
    return found


def judged(out, point, loss, wrong=None):
    """A run's folder as it is once it is judged."""
    folder = out / "runs" / point.name
    bench.write(folder / "run.json", {"looks": {"": {}}})
    hits = 0 if wrong is None else round(1000 * (1 - wrong))
    right = [{"kind": i < hits} for i in range(0 if wrong is None else 1000)]
    look = {"loss": {part: [[loss] * 5] * 4 for part in bench.PARTS}, "right": right}
    about = {"clips": point.clips, "flops": point.flops, "processor_seconds": 1.0}
    bench.write(folder / "judged.json", {**about, "looks": {"": look}})


@pytest.fixture
def study(tmp_path):
    made = scaling.points(some_sizes(), 4e15, 16, 60)
    for point in made[:-1]:
        loss = float(TRUE(point.parameters, point.clips))
        judged(tmp_path, point, loss, wrong=1e4 * point.flops**-0.35)
    return tmp_path, made


def test_a_plan_spans_three_decades_and_fits_its_minutes(shared):
    known = some_sizes()
    made = scaling.affordable(known, shared, 480, 2)
    assert 400 < scaling.minutes_of(made, 2) <= 480
    assert math.log10(made[-1].flops / min(p.flops for p in made)) >= 3
    assert [p.share for p in made] == sorted(p.share for p in made)
    assert len([p for p in made if p.share == 1]) == 1 and len(made) >= 12
    assert all(p.steps >= scaling.FEWEST for p in made)
    for point in made:  # a budget is kept to whole steps
        size = known[point.width]
        budget = point.share * made[-1].flops
        assert abs(point.flops - budget) <= size.flops * shared.batch + 0.05 * budget
        assert point.parameters == size.parameters
    less = scaling.affordable(known, shared, 60, 2)
    assert less[-1].flops < made[-1].flops
    assert "less than three decades" not in scaling.said(made, 2)
    shares = sorted({p.share for p in made})
    assert shares[-1] / shares[-3] == pytest.approx(32) and shares[-2] / shares[-3] == 4


def test_a_prediction_is_written_before_its_run_and_checked_after(study):
    out, made = study
    said = prediction.predict(out, made, draws=20)
    truth = float(TRUE(made[-1].parameters, made[-1].clips))
    assert said["loss"][0] == pytest.approx(truth, rel=0.01)
    assert prediction.predict(out, made, draws=20) == said
    assert prediction.check(out, made) is None
    bench.write(out / "begun.json", {"prediction": prediction.fingerprint(said)})
    judged(out, made[-1], truth, wrong=0.05)
    assert prediction.check(out, made)["within"]
    about = prediction.results(out, some_sizes(), made, draws=20)
    assert about["laws"]["loss"]["exponents"] == pytest.approx(TRUE.exponents, abs=0.02)
    assert about["laws"]["card"]["exponents"][0] == pytest.approx(0.35, abs=0.1)
    assert about["size exponent"] == pytest.approx(0.35 / 0.75, abs=0.02)
    assert [row["flops"] for row in about["advice"]] == pytest.approx(
        [x * made[-1].flops for x in (0.1, 1, 10)]
    )
    assert about["advice"][0]["parameters"] <= about["advice"][2]["parameters"]
    page, curves = chart.write(out / "docs", about)
    assert "prediction was right" in page.read_text()
    root = ET.fromstring(curves.read_text())
    kind = "{http://www.w3.org/2000/svg}"
    assert len(list(root.iter(f"{kind}circle"))) >= 2 * len(made)
    judged(out, made[-1], 1.05 * truth, wrong=0.05)
    assert not prediction.check(out, made)["within"]
    page.write_text(page.read_text().replace("# Scaling", "# Scaling\n\nWords that stay."))
    chart.write(out / "docs", prediction.results(out, some_sizes(), made, draws=20))
    text = page.read_text()
    assert "prediction was WRONG" in text and "Words that stay." in text and text.count("# S") == 1


def test_a_prediction_cannot_be_changed_in_silence(study):
    out, made = study
    said = prediction.predict(out, made, draws=5)
    bench.write(out / "begun.json", {"prediction": prediction.fingerprint(said)})
    judged(out, made[-1], 0.5)
    changed = {**said, "loss": [0.5, 0.49, 0.51]}
    bench.write(out / "prediction.json", changed)
    with pytest.raises(RequestError, match="changed after the largest run began"):
        prediction.check(out, made)
    bench.write(out / "prediction.json", said)
    judged(out, made[0], 0.9)  # a point that it follows from
    with pytest.raises(RequestError, match="follows from other points"):
        prediction.predict(out, made, draws=5)


def test_a_run_without_a_prediction_is_no_test(study):
    out, made = study
    judged(out, made[-1], 0.5)
    with pytest.raises(RequestError, match="begun without a prediction"):
        prediction.predict(out, made, draws=5)


def test_a_study_of_seconds(shared, chosen, monkeypatch):
    """Points, prediction, the largest run, the check and the page, without rulers."""
    monkeypatch.setattr(bench, "study", lambda chosen: shared)
    monkeypatch.setattr(scaling, "SMOKE_BUDGET", 6e7)
    monkeypatch.setattr(scaling, "TINY_WIDTHS", ((16, 1, 1), (32, 1, 1)))
    chosen.smoke, chosen.minutes = True, 0.0
    assert scaling.study(chosen)["finished"] is False
    chosen.minutes = None
    told = scaling.study(chosen)
    assert told["finished"] and set(told["check"]) >= {"predicted", "measured", "within"}
    about = json.loads((chosen.out / "scaling.json").read_text())
    for row in about["points"]:
        assert row["told_flops"] == pytest.approx(row["flops"], rel=0.01)
    assert (chosen.out / "docs/scaling.md").exists()
    held = {file: file.read_text() for file in chosen.out.glob("*.json")}
    scaling.study(chosen)
    assert held == {file: file.read_text() for file in chosen.out.glob("*.json")}
    assert Point(**about["prediction"]["run"]).name.endswith("largest")


def test_the_picture_has_a_row_for_each_budget_and_a_column_for_each_prompt(tmp_path):
    clips = [np.full((5, 16, 32, 3), 40 * i, np.uint8) for i in range(1, 7)]
    strips = [("1 x", clips[:3]), ("32 x", clips[3:])]
    file = chart.picture(tmp_path / "docs/scaling.png", strips, ["a red ball"] * 3)
    page = np.asarray(Image.open(file))
    for row in range(2):
        for column in range(3):
            y, x = 40 + 20 * row + 8, 46 + 36 * column + 16
            assert (page[y, x] == 40 * (1 + 3 * row + column)).all()
