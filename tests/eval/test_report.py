"""The whole card: of a model, of a folder of videos; two side by side; another's benchmark."""

import json

import numpy as np
import pytest

from worldreel.cli import main
from worldreel.errors import MediaError, RequestError
from worldreel.eval import (
    calibration,
    card,
    compare,
    exhibit,
    judging,
    metrics,
    page,
    vbench,
    videos,
)
from worldreel.eval.probes import Reading, Seen
from worldreel.media import Video
from worldreel.provenance import RENDERED, SIDECAR, read_mark
from worldreel.world.parse import parse

PROMPTS = ("A red ball rolls to the left across a meadow.", "A blue cube in the desert at night.")


def clip(seed, frames=4):
    rng = np.random.default_rng(seed)
    return Video(rng.integers(0, 255, (frames, 80, 144, 3), dtype=np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Two videos and their prompts."""
    where = tmp_path / "videos"
    where.mkdir()
    clip(0).save(where / "a.mp4")
    clip(1).save(where / "b.gif")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join(PROMPTS), "utf-8")
    return where, prompts


def test_the_card_of_a_model(tiny, tmp_path):
    answer = card.card(model=tiny(), count=2, first_seed=100_000, out=tmp_path)
    kept = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert answer["lines"] == kept["lines"] and len(kept["clips"]) == 2
    assert set(kept["spent"]) == {"making", "renders"} and kept["world"] == "plain"
    page = (tmp_path / "card.html").read_text("utf-8")
    assert "data:image/webp;base64," in page and "<script" not in page
    assert "http" not in page, "the page needs nothing beside it"
    assert "| setting |" in (tmp_path / "card.md").read_text("utf-8")


def test_some_lines_alone(tiny, tmp_path):
    how = {"count": 1, "first_seed": 100_000, "out": tmp_path}
    answer = card.card(model=tiny(), lines=["setting"], **how)
    assert list(answer["lines"]) == ["setting"]
    with pytest.raises(RequestError, match="'nose'"):
        card.card(model=tiny(), lines=["nose"], **how)


def test_real_renders_are_a_folder_like_any_other(tmp_path, capsys):
    where, out = tmp_path / "real", tmp_path / "card"
    made = ["eval", "export", "renders", "--out", str(where), "--count", "2", "-q"]
    assert main([*made, "--world", "small"]) == 0
    assert capsys.readouterr().out == f"2 videos of the small world in {where}\n"
    (where / f"000000{SIDECAR}").write_bytes(b"latents of a clip are no video")
    how = {"videos_of": where, "prompts": where / exhibit.PROMPTS}
    answer = card.card(**how, out=out)
    kept = json.loads((out / "card.json").read_text("utf-8"))
    ruler = calibration.packaged("small")["lines"]["setting"]
    assert answer["world"] == "small" and answer["lines"]["setting"]["ruler"] == ruler
    text = (out / "card.md").read_text("utf-8")
    assert "real renders of the small world" in text and "--world" not in text
    card.card(**how, out=out, world="plain", lines=["setting"])
    text = (out / "card.md").read_text("utf-8")
    assert "real renders of the plain world" in text and "--world small" in text
    for one in kept["clips"]:
        assert one["read"]["setting"] == one["wanted"]["setting"], "an encoded render is still read"
    found = read_mark(where / "000000.mp4")
    assert found and found["digital_source_type"] == RENDERED


def test_the_card_of_a_folder(folder, tmp_path):
    where, prompts = folder
    out = tmp_path / "card"
    answer = card.card(videos_of=where, prompts=prompts, out=out)
    kept = json.loads((out / "card.json").read_text("utf-8"))
    assert [one["file"] for one in kept["clips"]] == ["a.mp4", "b.gif"]
    assert kept["clips"][0]["wanted"]["colour"] == "red"
    assert answer["count"] == 2 and answer["read by"] == "worldreel.world.parse"
    assert answer["failed"] == [] and answer["lines"]["colour"]["all"]["count"] == 2
    assert answer["lines"]["colour"]["all"]["right"] == 0, "noise is no ball"


def test_what_cannot_be_read_is_listed_and_wrong(folder, tmp_path):
    where, prompts = folder
    (where / "c.mp4").write_bytes(b"\0\0\0\x18ftypmp42 no video")
    table = {"a.mp4": PROMPTS[0], "b": PROMPTS[1], "c.mp4": PROMPTS[0], "d.mp4": PROMPTS[1]}
    prompts = prompts.with_suffix(".json")
    prompts.write_text(json.dumps(table), "utf-8")
    answer = card.card(videos_of=where, prompts=prompts, out=tmp_path / "card")
    assert [one["file"] for one in answer["failed"]] == ["c.mp4", "d.mp4"]
    assert answer["lines"]["colour"]["all"]["count"] == 4
    text = (tmp_path / "card/card.md").read_text("utf-8")
    assert "2 could not be read" in text and "c.mp4" in text


def test_bad_folders_are_one_line(folder, tmp_path):
    where, prompts = folder
    empty = tmp_path / "empty"
    empty.mkdir()
    for bad, said, error in (
        (empty, "holds no videos", MediaError),
        (tmp_path / "nowhere", "is no folder", MediaError),
    ):
        with pytest.raises(error, match=said) as raised:
            card.card(videos_of=bad, prompts=prompts, out=tmp_path / "card")
        assert "\n" not in str(raised.value)
    few = tmp_path / "few.txt"
    few.write_text(PROMPTS[0], "utf-8")
    with pytest.raises(RequestError, match="1 prompts for 2 videos"):
        videos.paired(where, few)
    few = tmp_path / "few.json"
    few.write_text(json.dumps([{"file": "a.mp4", "prompt": PROMPTS[0]}]), "utf-8")
    with pytest.raises(RequestError, match=r"1 of 2 videos have no prompt .*b\.gif"):
        videos.paired(where, few)
    few.write_text(json.dumps(["...", "?"]), "utf-8")
    with pytest.raises(RequestError, match="says anything"):
        videos.paired(where, few)
    for text in ("[]", "3", '{"a.mp4": 3}', "{"):
        few.write_text(text, "utf-8")
        with pytest.raises(RequestError, match="prompts"):
            videos.paired(where, few)
    with pytest.raises(RequestError, match="give both"):
        card.card(videos_of=where, out=tmp_path / "card")
    (where / "a.mp4").write_bytes(b"")
    (where / "b.gif").write_bytes(b"")
    with pytest.raises(RequestError, match="no video of"):
        card.card(videos_of=where, prompts=prompts, out=tmp_path / "card")


def test_prompts_name_their_files_or_follow_them(folder, tmp_path):
    where, prompts = folder
    named = tmp_path / "named.txt"
    named.write_text(f"b.gif\t{PROMPTS[1]}\n\na.mp4\t{PROMPTS[0]}\n", "utf-8")
    by_name = {one.name: one.text for one in videos.paired(where, named)}
    assert by_name == {one.name: one.text for one in videos.paired(where, prompts)}


def test_what_is_not_understood_is_told_by_the_clip(folder):
    where, prompts = folder
    prompts.write_text("a red ball\na pink elephant made of cheese and a green cube", "utf-8")
    first, second = videos.paired(where, prompts)
    assert not first.unknown and "cheese" in " ".join(second.unknown)


def test_another_system_has_no_columns_of_our_training(folder, tmp_path, capsys):
    where, prompts = folder
    args = ["eval", "card", "--videos", str(where), "--prompts", str(prompts), "-q"]
    args += ["--out", str(tmp_path / "card"), "--lines", "setting,colour,seams"]
    assert main(args) == 0
    out = capsys.readouterr().out
    assert out.startswith("| line | all | ruler | floor |\n") and "card.html" in out
    kept = json.loads((tmp_path / "card/card.json").read_text("utf-8"))
    assert {*kept["lines"]["setting"]} == {"what", "all", "ruler", "floor"}
    assert all("split" not in one for one in kept["clips"])
    for name in ("card.md", "card.html"):
        text = (tmp_path / "card" / name).read_text("utf-8")
        assert "held out" not in text and "Ceiling" not in text and "plain world" in text
    assert main([*args, "--count", "3", "--model", "marble"]) == 2
    assert "leave out --model, --count" in capsys.readouterr().err


def test_what_says_nothing_is_asked_nothing(folder, tmp_path):
    where, prompts = folder
    prompts.write_text(f"{PROMPTS[0]}\ntwo cats", "utf-8")
    answer = card.card(videos_of=where, prompts=prompts, out=tmp_path / "card")
    assert answer["stating nothing"] == 1 and "1 prompts state nothing" in " ".join(
        (tmp_path / "card/card.md").read_text("utf-8").split()
    )
    assert {row["all"]["count"] for row in answer["lines"].values()} == {1}
    kept = json.loads((tmp_path / "card/card.json").read_text("utf-8"))
    assert kept["clips"][1]["wanted"] == kept["clips"][1]["read"] == {}


def test_one_frame_is_asked_for_nothing_that_takes_time(folder, tmp_path):
    where, prompts = folder
    clip(1, frames=1).save(where / "b.gif")
    prompts.write_text(f"{PROMPTS[0]}\n{PROMPTS[0]}", "utf-8")
    answer = card.card(videos_of=where, prompts=prompts, out=tmp_path / "card")
    kept = json.loads((tmp_path / "card/card.json").read_text("utf-8"))
    moving, still = (one["wanted"].keys() for one in kept["clips"])
    assert still == {"colour", "kind", "setting", "count"} and moving >= {*still, "motion", "seams"}
    assert answer["of one frame"] == 1
    assert "1 videos of one frame" in (tmp_path / "card/card.md").read_text("utf-8")


def test_below_a_wrong_picture_stands_what_was_read():
    album, frames = page.Album(), np.zeros((4, 8, 16, 3), np.uint8)
    album.add(
        frames, "a red ball", {"colour": "red", "kind": "ball"}, {"colour": "b<", "kind": "ball"}
    )
    assert [entry[1:] for entry in album.shown["colour"][False]] == [
        ("a red ball", "asked red, read b<")
    ]
    assert album.shown["kind"][True][0][2] == "" and not album.shown["colour"][True]
    row = {"what": "colour", "all": None, "ruler": None, "floor": None}
    about = {"model": "x", "videos": "v", "count": 1, "seconds": 1.0, "world": "plain"}
    text = page._page({**about, "read by": "p", "lines": {"colour": row}}, album)
    assert "<small>asked red, read b&lt;</small>" in text


def test_a_clip_of_another_prompt_fails():
    facts, other = (parse(text) for text in PROMPTS)
    seen = judging.Read(
        reading=Reading(
            setting="meadow",
            light="noon",
            weather="clear",
            style="render",
            things=(Seen(color="red", kind="ball", count=1, motion="left", x=0.0),),
        ),
        others={},
    )
    lines = tuple(judging.questions())
    assert all(judging.judge(facts, seen, lines)[line] for line in ("colour", "kind", "setting"))
    assert not any(
        judging.judge(other, seen, lines)[line] for line in ("colour", "kind", "setting", "light")
    )
    assert not any(judging.judge(facts, None, lines).values()), "a clip that cannot be read"


def written(path, right, count=40, world="plain"):
    row = {"what": "setting", "all": metrics.share(right, count), "ruler": {"used": True}}
    path.write_text(json.dumps({"model": path.stem, "world": world, "lines": {"setting": row}}))
    return path


def test_two_cards_side_by_side(tmp_path, capsys):
    one, other = written(tmp_path / "a.json", 10), written(tmp_path / "b.json", 36, world="small")
    found = compare.compare(one, other)
    row = found["lines"]["setting"]
    assert row["difference"] == pytest.approx(0.65) and row["sure"]
    assert row["interval"][0] < 0.65 < row["interval"][1]
    assert found["unlike"] == {"world": ["plain", "small"]}
    back = compare.compare(other, one)["lines"]["setting"]
    assert back["interval"] == pytest.approx([-end for end in reversed(row["interval"])])
    assert not compare.compare(one, one)["lines"]["setting"]["sure"]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "card.json").write_text(one.read_text())
    assert compare.compare(folder, other)["lines"] == found["lines"]
    assert main(["eval", "compare", str(one), str(other)]) == 0
    assert "| setting | 25.0 of 40 | 90.0 of 40 | +65.0" in capsys.readouterr().out
    one.write_text("{}")
    assert main(["eval", "compare", str(one), str(other)]) != 0
    assert "cannot be read as a card" in capsys.readouterr().err


def test_difference_is_the_published_one():
    # Newcombe, Statistics in Medicine 17 (1998), table II: 56/70 less 48/80, method 10
    rows = [metrics.share(48, 80), metrics.share(56, 70)]
    difference, interval = compare._difference(*rows)
    assert difference == pytest.approx(0.2, abs=1e-4)
    assert interval == pytest.approx((0.0524, 0.3339), abs=2e-4)


def test_videos_for_vbench(tiny, tmp_path):
    prompts, out = tmp_path / "all_dimension.txt", tmp_path / "out"
    prompts.write_text("a red ball\n\na red ball\nin a still frame, a cube\n", "utf-8")
    how = {"samples": 2, "seconds": 1 / 3, "first_seed": 5}
    answer = vbench.export(tiny(), prompts, out, **how)
    names = ["a red ball-0.mp4", "a red ball-1.mp4"]
    names += ["in a still frame, a cube-0.mp4", "in a still frame, a cube-1.mp4"]
    assert sorted(file.name for file in out.glob("*.mp4")) == names and answer["videos"] == 4
    note = json.loads((out / vbench.NOTE).read_text("utf-8"))
    assert [one["seed"] for one in note["videos"]] == [5, 6, 7, 8]
    before = (out / names[0]).stat().st_mtime_ns
    vbench.export(tiny(), prompts, out, **how)
    assert (out / names[0]).stat().st_mtime_ns == before, "what is there stays"
    for text in ("", "a/b"):
        prompts.write_text(text, "utf-8")
        with pytest.raises(RequestError):
            vbench.export(tiny(), prompts, out)


def test_renders_for_calibration_are_drawn_once(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "SHARD", 1)
    told = []
    one, two = (
        list(calibration.real(2, "small", tmp_path, lambda *how: told.append(how)))
        for _ in range(2)
    )
    assert [clip.split for clip in one] == [None, "held_out"]
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip(one, two, strict=True))
    assert one[0].facts and one[0].facts == two[0].facts and not one[0].cuts
    drawn = [how for how in told if how[1:] == (0, 1)]
    assert len(drawn) == 2, "each once"


def test_clips_of_the_same_prompts_are_compared_in_pairs(tmp_path):
    """What is right in the same clips leaves no doubt; other prompts are no pairs."""

    def words(reads, prompt="a ball"):
        right = sum(read == "red" for read in reads)
        row = metrics.share(right, len(reads))
        clips = [
            {"prompt": f"{prompt} {n}", "wanted": {"colour": "red"}, "read": {"colour": read}}
            for n, read in enumerate(reads)
        ]
        folder = tmp_path / f"{prompt}-{right}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        card = {"model": "m", "lines": {"colour": {"what": "colour", "all": row}}, "clips": clips}
        (folder / "words.json").write_text(json.dumps(card))
        return folder

    reads = ["red", "blue"] * 20
    same = compare.compare(words(reads), words(reads))["lines"]["colour"]
    assert same["pairs"] == 40 and tuple(same["interval"]) == (0, 0)
    worse = compare.compare(words(reads), words(["blue", *reads[1:]]))["lines"]["colour"]
    low, high = worse["interval"]
    assert worse["difference"] == -0.025 and -0.08 <= low < worse["difference"] < high == 0
    others = compare.compare(words(reads), words(reads, "a cube"))["lines"]["colour"]
    assert others["pairs"] is None and others["interval"][0] < -0.1
