"""`worldreel prompt`, and the options of `generate` that rewrite: what they say and refuse."""

import json
import sys
import types

import pytest

from worldreel import engine
from worldreel.cli import main
from worldreel.prompt import Chat, rewrite
from worldreel.request import RequestWarning

pytestmark = pytest.mark.usefixtures("one_thread")

NOWHERE = ["--rewrite-url", "http://127.0.0.1:9/v1", "--rewrite-model", "m"]


def test_a_prompt_is_shown_with_what_it_becomes(capsys):
    assert main(["prompt", "a red truck, no rain", "--seed", "3"]) == 0
    said = capsys.readouterr()
    text, read, added = said.out.splitlines()
    assert "red" in read and "car" in read and added.startswith("added: setting ")
    assert text.endswith(".") and text != "a red truck, no rain"
    assert (
        "note: read 'truck' as 'car'" in said.err and "left out with its no: 'no rain'" in said.err
    )


def test_json_has_all_of_it(capsys):
    assert main(["prompt", "一只猫和一个红球", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["by"] == "worldreel" and told["ignored"] == ["一只猫"] and told["seed"] == 0
    assert told["understood"]["prompt"]["color0"] == told["understood"]["text"]["color0"] == "red"
    assert {"added", "mapped", "model", "notes", "prompt", "text"} < set(told)


def test_what_cannot_be_rewritten_says_why(capsys):
    assert main(["prompt", "two cats"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "two cats" and "added" not in said.out
    assert "not known: 'two cats'" in said.err and "nothing that marble can draw" in said.err


def test_nothing_is_guessed(capsys):
    assert main(["prompt", "three red cats in the snow", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["understood"]["prompt"]["setting"] == "snowfield"
    assert told["understood"]["prompt"] == {"setting": "snowfield"} and "guessed" not in told
    assert told["ignored"] == ["three red cats"]
    assert main(["prompt", "three cats"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["read:  nothing"]
    assert main(["prompt", "a wizard and a red ball", "--json"]) == 0  # what is mapped was said
    told = json.loads(capsys.readouterr().out)
    assert "man" in told["understood"]["prompt"].values()
    assert main(["prompt", "a red ball and zork " * 40, "--json"]) == 0  # too long to rewrite
    told = json.loads(capsys.readouterr().out)
    assert set(told["understood"]["text"].values()) <= {"ball", "red"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["  "], "the prompt is empty"),
        (["a ball", "--seed", "-1"], "the seed must be"),
        (["a ball", "--model", "nobody"], "no model 'nobody'"),
        (["a ball", "--rewrite-url", "http://x/v1"], "go together"),
        (["a ball", "--rewrite-model", "m"], "go together"),
        (["a ball", "--rewrite-url", "x", "--rewrite-model", "m"], "one of http or https"),
    ],
)
def test_bad_input_is_one_line(capsys, args, message):
    assert main(["prompt", *args]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and message in lines[0]


def test_a_chat_that_is_not_there_leaves_the_prompt(capsys):
    assert main(["prompt", "a red ball", *NOWHERE, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == "a red ball" and told["by"] == ""
    assert "is the server running?" in told["notes"][0]


def test_generate_hands_on_who_rewrites(monkeypatch, tmp_path, tiny_model):
    asked = []

    class Spy:
        def film(self, request, **_):
            asked.append(request.rewrite)
            raise KeyboardInterrupt

    fake = types.ModuleType("worldreel.engine")
    fake.load = lambda model, **_: Spy()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "worldreel.engine", fake)
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--no-rewrite"], ["--rewrite"], NOWHERE):
        main(["generate", "a red ball", *more])
    assert asked == [False, False, True, Chat(url=NOWHERE[1], model="m")]


def test_a_video_of_a_rewritten_prompt_says_so(tiny_model):
    model = engine.load(tiny_model, dtype="float32")
    small = {"size": (96, 64), "num_inference_steps": 1, "num_frames": 1}

    def caption(encoder, prompt, *, seed, name):
        told = rewrite(encoder, prompt, seed=seed, name=name)
        return type(told)(prompt=prompt, text="a red ball", by="a test", notes=("a note",))

    with pytest.warns(RequestWarning):
        video = model.generate("ball", rewrite=caption, **small)
    assert video.metadata["words"]["rewritten"]["text"] == "a red ball"
    assert {"the prompt became 'a red ball'", "a note"} <= set(video.notes)
    assert video.metadata["request"]["prompt"] == "ball"
    same = model.generate("a red ball", **small)
    assert (video.frames == same.frames).all()
