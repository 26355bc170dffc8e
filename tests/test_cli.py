"""The command line: one clear line for bad input, an exit code, and no half-written file."""

import ast
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import typer.main
from PIL import Image

import worldreel
from worldreel.cli import MAKING, ROOMS, main
from worldreel.errors import CheckpointError
from worldreel.footage import Footage
from worldreel.media import Video
from worldreel.provenance import load_sidecar, read_mark
from worldreel.request import Limits, Request, plan

RAISED = ("RequestError", "SceneError", "MediaError")
WHERE = os.environ | {"PYTHONPATH": str(Path(worldreel.__file__).parents[1])}


class Engine:
    """What `worldreel.engine.load` gives, without a model."""

    limits = Limits()

    def __init__(self) -> None:
        self.asked: dict = {}

    def film(self, request: Request, *, progress=None):
        self.asked = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
        made = plan(request, self.limits)
        assert progress is not None

        def tell(*stages):
            for stage in stages:
                for done in range(3):
                    progress(stage, done, 2)

        def decode():
            tell("decode")
            yield np.full((made.num_frames, made.height, made.width, 3), 90, np.uint8)

        tell("prompt", "paint")
        metadata = {
            "request": made.to_json() | {"notes": [*made.notes, "marble does not know 'zebra'"]},
            "words": {"read": ["red", "ball"], "mapped": {"orb": "ball"}, "ignored": ["zebra"]},
            "seconds": {"prompt": 0.1, "paint": 0.2},
        }
        return Footage(
            decode=decode,
            num_frames=made.num_frames,
            size=(made.width, made.height),
            fps=made.fps,
            latents=np.zeros((1, 8, 1, 2, 3), np.float32),
            metadata=metadata,
        )


@pytest.fixture
def engine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    made, fake = Engine(), types.ModuleType("worldreel.engine")
    fake.load = lambda model, **_: made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "worldreel.engine", fake)
    return made


@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    """Whatever loads an engine here fails: bad input must be found before."""
    monkeypatch.chdir(tmp_path)
    fake = types.ModuleType("worldreel.engine")

    def load(model, **_):
        raise AssertionError("the engine was loaded for a bad request")

    fake.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "worldreel.engine", fake)


def refused(capsys, *args: str, code: int = 2) -> str:
    before = sorted(Path.cwd().rglob("*"))
    assert main([*args]) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert main([*args, "--json"]) == code
    told, line = capsys.readouterr()
    assert json.loads(told)["error"]["code"] == code and line == err
    assert json.loads(told)["error"]["message"] == err.removeprefix("error: ").strip()
    assert sorted(Path.cwd().rglob("*")) == before
    return err


def test_a_sentence_becomes_an_mp4(engine, capsys):
    assert main(["generate", "a red ball", "-o", "ball.mp4", "--seconds", "2.1"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("ball.mp4: 256x144, 24 frames, 2 s, made in ")
    for line in ("load 0/1", "paint 2/2", "decode 2/2", "save 1/1", "does not know 'zebra'"):
        assert line in err
    assert "note: 2.1 s became 24 frames" in err
    assert len(Video.open("ball.mp4")) == 24
    assert sorted(os.listdir()) == ["ball.mp4", "ball.reel"]


def test_json_is_one_object(engine, capsys):
    args = "generate red -o a.mp4 --size 96x96 --seed 5 --steps 3 --guidance-scale 2"
    args += " --negative-prompt blue --contact-sheet sheet.png --json"
    assert main(args.split()) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert out.count("\n") == 1 and "paint 2/2" in err
    assert (told["path"], told["contact_sheet"]) == ("a.mp4", "sheet.png")
    assert (told["latents"], told["lineage"], told["prompt"]) == ("a.reel", [], "red")
    assert (told["width"], told["height"], told["num_frames"], told["fps"]) == (96, 96, 48, 12)
    assert (told["seed"], told["model"], told["kind"]) == (5, "marble", ".mp4")
    assert told["notes"] == ["marble does not know 'zebra'"]
    assert set(told["seconds"]) == {"load", "prompt", "paint", "decode", "save", "total"}
    assert told["peak_memory"] > 10_000_000
    assert told["words"]["mapped"] == {"orb": "ball"}
    assert (engine.asked["num_inference_steps"], engine.asked["guidance_scale"]) == (3, 2.0)
    assert engine.asked["negative_prompt"] == "blue"
    assert load_sidecar("a.mp4").request["seed"] == 5
    assert (read_mark("a.mp4") or {})["prompt"] == "red"
    assert sorted(os.listdir()) == ["a.mp4", "a.reel", "sheet.png"]


def test_quiet_is_quiet(engine, capsys):
    assert main(["generate", "red", "-o", "a.gif", "--quiet", "--seconds", "1"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_name_of_our_choice_replaces_nothing(engine, capsys):
    for _ in range(2):
        assert main(["generate", "red", "--quiet", "--seconds", "12f", "--no-latents"]) == 0
    assert main(["generate", "red", "--quiet", "--num-frames", "1"]) == 0
    assert sorted(os.listdir()) == ["worldreel-2.mp4", "worldreel.mp4", "worldreel.png"]
    Path("worldreel-3.reel").touch()
    assert main(["generate", "red", "--quiet", "--seconds", "1"]) == 0
    assert Path("worldreel-4.mp4").exists() and Path("worldreel-3.reel").stat().st_size == 0


def test_variations_are_numbered_and_take_the_next_seeds(engine, capsys):
    args = "generate red -o a.mp4 --seed 7 --variations 3 --seconds 1 --contact-sheet s.png --json"
    assert main(args.split()) == 0
    told = json.loads(capsys.readouterr().out)["variations"]
    assert [one["seed"] for one in told] == [7, 8, 9]
    assert [one["path"] for one in told] == ["a-1.mp4", "a-2.mp4", "a-3.mp4"]
    assert [one["contact_sheet"] for one in told] == ["s-1.png", "s-2.png", "s-3.png"]
    assert [load_sidecar(one["path"]).request["seed"] for one in told] == [7, 8, 9]
    for _ in range(2):
        assert main("generate red --variations 2 --seconds 1 --quiet --no-latents".split()) == 0
    assert {"worldreel-1.mp4", "worldreel-2.mp4", "worldreel-2-2.mp4"} < set(os.listdir())
    assert main("generate red --variations 2 --seconds 1 --quiet -o frames/".split()) == 0
    assert len(list(Path("frames-2").glob("*.png"))) == 12


def test_a_png_is_a_still_and_a_folder_holds_frames(engine, capsys):
    assert main(["generate", "red", "-o", "a.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_frames"] == 1
    for name in ("frames/", "frames", "other"):
        assert main(["generate", "red", "-o", name, "--seconds", "1"]) == 0
        said = f"{name.strip('/')}/ (a folder of .png files): 256x144, 12 frames, 1 s, made in "
        assert capsys.readouterr().out.startswith(said)
        assert len(list(Path(name).glob("*.png"))) == 12
    before = sorted(Path("frames").iterdir())
    for inside in ("--contact-sheet", "--image"):
        args = ["generate", "red", "-o", "frames", inside, "frames/000000.png"]
        assert "lies in the folder of --output" in refused(capsys, *args)
    assert sorted(Path("frames").iterdir()) == before


def test_pictures_are_read_before_the_engine(engine, capsys):
    Image.new("RGB", (8, 8), "red").save("first.png")
    Image.new("RGB", (8, 8), "blue").save("last.png")
    args = "generate red -o a.mp4 --image first.png --last-image last.png --quiet --seconds 1"
    assert main(args.split()) == 0
    assert engine.asked["image"].shape == (8, 8, 3)
    assert engine.asked["last_image"][0, 0, 2] == 255
    args = "generate red -o a.mp4 --quiet --seconds 2 --keyframe 1:first.png --keyframe"
    assert main([*args.split(), "18f:last.png:0.5"]) == 0
    (one, red, held), (two, _, loose) = engine.asked["keyframes"]
    assert (one, held, two, loose) == ("1", 1.0, "18f", 0.5) and red.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["generate", ""], "empty"),
        (["generate", " \n "], "empty"),
        (["generate", "x", "--seconds", "0"], "above zero"),
        (["generate", "x", "--seconds", "-3"], "above zero"),
        (["generate", "x", "--seconds", "nan"], "finite"),
        (["generate", "x", "--seconds", "inf"], "finite"),
        (["generate", "x", "--seconds", "1e9"], "too long"),
        (["generate", "x", "--seconds", "soon"], "--seconds"),
        (["generate", "x", "--num-frames", "0"], "at least 1"),
        (["generate", "x", "--size", "250x140"], "256x144"),
        (["generate", "x", "--size", "big"], "256x144"),
        (["generate", "x", "--size", "256x144", "--aspect", "1:1"], "not both"),
        (["generate", "x", "--aspect", "99:1"], "nearest"),
        (["generate", "x", "--seed", "-1"], "seed"),
        (["generate", "x", "--seed", "1" * 30], "seed"),
        (["generate", "x", "--seed", "1.5"], "--seed"),
        (["generate", "x", "--steps", "0"], "steps"),
        (["generate", "x", "--guidance-scale", "nan"], "finite"),
        (["generate", "x", "-o", "a.png", "--last-image", "a.png"], "nothing to paint"),
        (["generate", "x", "--image", "a.png", "--num-frames", "1"], "ask for 4 frames"),
        (["generate", "x", "--last-image", "a.png", "--num-frames", "4"], "ask for 8 frames"),
        (["generate", "a", "red", "ball"], "put quotes around"),
        (["generate", "x", "-o", "a.png", "--contact-sheet", "./a.png"], "same file as --output"),
        (["generate", "x", "-o", "a.webp", "--contact-sheet", "a.webp"], "same file as --output"),
        (["generate", "x", "-o", "a.gif", "--image", "a.gif"], "same file as --output"),
        (["generate", "x", "-o", "a.webp", "--last-image", "a.webp"], "same file as --output"),
        (["generate", "x", "--contact-sheet", "b.png", "--image", "b.png"], "as --contact-sheet"),
        (["generate", "x", "--model", "no/such/folder"], "no/such/folder"),
        (["generate", "x", "-o", "a.gif", "--latents"], "--latents"),
        (["generate", "x", "--seconds", "1.5f"], "18f"),
        (["generate", "x", "--seconds", "8f", "--num-frames", "8"], "not both"),
        (["generate", "x", "--variations", "0"], "--variations"),
        (["generate", "x", "--seed", f"{2**64 - 1}", "--variations", "2"], "above 2**64 - 1"),
        (["generate", "x", "--keyframe", "1"], "TIME:FILE"),
        (["generate", "x", "--keyframe", "soon:a.png"], "seconds, such as 1.5"),
        (["generate", "x", "--keyframe", "9:a.png"], "comes after the end"),
        (
            ["generate", "x", "--keyframe", "1:a.png", "--keyframe", "12f:b.png"],
            "4f (0.333 s) apart",
        ),
        (["generate", "x", "--keyframe", "1:a.png:1.5"], "strength"),
        (["generate", "x", "-o", "a.gif", "--keyframe", "1:a.gif"], "same file as --output"),
        (["loop", "x", "y"], "two sentences"),
        (["loop", ""], "empty"),
        (["generate", "x", "--nonsense"], "--nonsense"),
        (["generate"], "PROMPT"),
        (["nonsense"], "nonsense"),
        (["train", "dit", "no-such-recipe"], "no-such-recipe"),
        (["train", "all", "marble"], "all"),
        (["train", "dit", "marble", "--set", "lr"], "KEY=VALUE"),
        (["train", "dit", "marble", "--minutes", "nan"], "--minutes"),
        (["eval", "words", "--count", "0"], "--count"),
        (["world", "preview", "--count", "0"], "--count"),
    ],
)
def test_a_bad_request_is_one_line(no_engine, capsys, args, says):
    assert says.lower() in refused(capsys, *args).lower()


def test_bad_files_are_one_line(no_engine, capsys):
    Path("text.png").write_text("no picture")
    Path("file").write_text("no folder")
    for args, says in [
        (["--image", "text.png"], "no picture"),
        (["--image", "missing.png"], "cannot be read"),
        (["--last-image", "."], "cannot be read"),
        (["-o", "missing/a.mp4"], "does not exist"),
        (["-o", "file/a.mp4"], "folder"),
        (["-o", "/proc/a.mp4"], "cannot be written"),
        (["-o", "a.avi"], "use .mp4, .gif, .webp, .png, or a folder"),
        (["-o", "file"], "is a file, and a name without"),
        (["--contact-sheet", "a.mp4"], ".png, .webp, .gif, and not a.mp4"),
        (["--contact-sheet", "sheet"], ".png, .webp, .gif, and not sheet"),
        (["-o", "a.png", "--seconds", "1"], "folder"),
        (["-o", ""], "no name"),
        (["--keyframe", "1:text.png"], "no picture"),
        (["--contact-sheet", "missing/a.png"], "does not exist"),
    ]:
        assert says in refused(capsys, "generate", "x", *args)
    for args in (["train", "text", "marble"], ["eval", "words"]):
        for out in ("file", "file/below"):
            assert "file is a file, where a folder" in refused(capsys, *args, "--out", out)


def test_a_damaged_checkpoint_is_one_line(no_engine, monkeypatch, capsys):
    def load(model, **_):
        raise CheckpointError(f"{model} is damaged:\nweights.safetensors is cut short")

    monkeypatch.setattr(sys.modules["worldreel.engine"], "load", load)
    main(["generate", "x", "--quiet"])
    assert "is damaged: weights" in capsys.readouterr().err
    assert "damaged" in refused(capsys, "generate", "x", "--quiet")


@pytest.mark.parametrize(
    "args",
    [
        "generate x -o /proc/a.mp4",
        "generate x -o missing/a.mp4",
        "generate x --seconds 2 --num-frames 24",
        "stream x -o file/a.mp4",
        "stream x --contact-sheet missing/a.png",
        "world preview -o missing/a.png --count 1",
        "world preview -o file/a.png --count 1",
        "world show 4 -o /proc/a.png",
        "world render -o file --count 1",
        "world pack -o file --count 1",
        "eval compare missing.json file",
        "eval export renders --out file --count 1",
        "eval calibrate --renders file --count 2",
        "verify missing.mp4",
        "extend missing.mp4",
        "prompt x --model file",
        "train dit marble --out file",
    ],
)
def test_what_was_given_wrongly_ends_with_2(tmp_path, monkeypatch, capsys, args):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no folder, no video, no JSON")
    assert main(args.split()) == 2, capsys.readouterr().err
    assert capsys.readouterr().err.count("\n") <= 1 and [*Path().iterdir()] == [Path("file")]


def test_messages_name_nothing_of_python():
    """What the command line may print has no parameter's name, nor None, in it."""
    package = Path(worldreel.__file__).parent
    above = ("train", "tasks.py", "canvas.py", "flow.py", "__init__.py")  # for who writes Python
    for file in package.rglob("*.py"):
        if file.relative_to(package).parts[0] in above:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            call = node.exc if isinstance(node, ast.Raise) else None
            if not isinstance(call, ast.Call) or ast.unparse(call.func) not in RAISED:
                continue
            text = " ".join(
                part.value
                for part in ast.walk(call)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )
            text = text.replace("KEY=VALUE, such as lr=0.01", "")  # of --set
            found = re.search(r"\b[a-z]\w*=|\bnum_frames\b|\bfirst_seed\b|\bNone\b", text)
            assert not found, f"{file.name}: {text}"


def test_surprises_are_one_line_with_a_traceback_for_those_who_ask(engine, monkeypatch, capsys):
    def fail(*_, **__):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(engine, "film", fail)
    assert "ZeroDivisionError: a mistake" in refused(capsys, "generate", "x", "--quiet", code=1)
    monkeypatch.setenv("WORLDREEL_TRACEBACK", "1")
    assert main(["generate", "x", "--quiet"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_no_disk_space_is_one_line(engine, monkeypatch, capsys):
    from worldreel import output

    def replace(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "replace", replace)
    for kind in ("a.mp4", "a.gif"):
        assert "no space" in refused(capsys, "generate", "x", "--quiet", "-o", kind, code=1)


def run(*args: str, stdin: bytes = b"", code: str = "") -> subprocess.CompletedProcess:
    start = f"import sys; {code or 'pass'}\nfrom worldreel.cli import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", start, *args], input=stdin, env=WHERE, capture_output=True
    )


def test_standard_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for data, says in [
        (b"x" * 10_000_000, b"5,000 characters"),
        (b"", b"empty"),
        (b"\xff\xfe\xfa", b"UTF-8"),
    ]:
        done = run("generate", "-", stdin=data, code="sys.modules['torch'] = None")
        assert done.returncode == 2 and done.stdout == b""
        assert says in done.stderr and done.stderr.count(b"\n") == 1
    assert os.listdir() == []


SLOW = """
import signal, types, time, numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been started without
from worldreel import media
from worldreel.footage import Footage
def slow(*a, **k):
    print("painting", flush=True)
    time.sleep(30)
def frames(part, *_):
    part.write_bytes(b"half")
    slow()
fake = types.ModuleType("worldreel.engine")
class Engine:
    def film(self, *a, **k):
        if sys.argv[2] == "save":
            media._encode = frames
            decode = lambda: iter([np.zeros((4, 64, 64, 3), np.uint8)])
            return Footage(decode=decode, num_frames=4, size=(64, 64), fps=12)
        slow()
fake.load = lambda m, **_: Engine()
sys.modules["worldreel.engine"] = fake
"""


@pytest.mark.parametrize("when", ["paint", "save"])
def test_control_c_leaves_nothing(tmp_path, when):
    start = f"import sys\n{SLOW}\nfrom worldreel.cli import main\nsys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", start, "generate", when, "-o", "a.mp4"],
        env=WHERE,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"painting\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.endswith(b"interrupted\n") and b"Traceback" not in err
    assert os.listdir(tmp_path) == []


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"worldreel {worldreel.__version__}\n"
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for room in ROOMS:
        assert room in text
        assert main([room, "--help"]) == 0
    assert main([]) == 2


def test_python_dash_m(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "worldreel", "--version"], env=WHERE, capture_output=True, text=True
    )
    assert done.stdout == f"worldreel {worldreel.__version__}\n"


@pytest.mark.parametrize(
    ("asked", "becomes"), [(None, ("PASSIVE", "20000")), ("ACTIVE", ("ACTIVE", None))]
)
def test_threads_wait_briefly_unless_told_otherwise(monkeypatch, capsys, asked, becomes):
    for name, value in (("OMP_WAIT_POLICY", asked), ("GOMP_SPINCOUNT", None)):
        monkeypatch.setenv(name, value or "")
        if value is None:
            monkeypatch.delenv(name)
    main(["--version"])
    assert (os.environ["OMP_WAIT_POLICY"], os.environ.get("GOMP_SPINCOUNT")) == becomes


def test_train_hands_over_what_was_asked(monkeypatch, tmp_path, capsys):
    called = {}
    fake = types.ModuleType("worldreel.train.dit")
    fake.main = lambda recipe, **how: called.update(how, recipe=recipe) or {"step": 3}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "worldreel.train.dit", fake)
    recipe = tmp_path / "mine.py"
    recipe.write_text("")
    args = ["train", "dit", str(recipe), "--fresh", "--minutes", "2", "--set", "a.b=1", "--json"]
    assert main(args) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 3
    assert called == {
        "recipe": str(recipe),
        "out": "runs/mine-dit",
        "resume": False,
        "minutes": 2.0,
        "overrides": {"a.b": "1"},
    }


def test_eval_hands_over_what_was_asked(monkeypatch, capsys):
    called = {}
    fake = types.ModuleType("worldreel.eval.card")
    fake.words = lambda **how: called.update(how) or {"colour": 0.9}  # type: ignore[attr-defined]
    fake.calibrate = lambda **how: {"colour": 1.0}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "worldreel.eval.card", fake)
    assert main(["eval", "words", "--count", "3", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == {"colour": 0.9}
    assert (called["model"], called["count"], called["first_seed"]) == ("marble", 3, 0)
    assert main(["eval", "calibrate", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == {"colour": 1.0}


def test_what_is_not_given_is_said_or_is_nothing():
    """Of an option that is None by default the help says what is then taken."""
    unsaid = set()
    for room in (*MAKING, "train", "eval"):
        group = typer.main.get_command(import_module(f"worldreel.cli.{room}").app)
        for command in getattr(group, "commands", {room: group}).values():
            options = [p for p in command.params if not p.required and p.default is None]
            unsaid |= {p.name for p in options if not isinstance(p.show_default, str)}
    assert unsaid == {
        "num_frames",
        "image",
        "last_image",
        "keyframe",
        "reference",
        "lora",
        "contact_sheet",
        "settings",
    }


def test_bars_on_a_terminal(monkeypatch):
    from worldreel.cli import progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.progress() as told:
        told("paint", 0, 4)
        told("paint", 4, 4)


def test_a_plan_refuses_what_a_run_would(tmp_path, monkeypatch, capsys):
    """Nothing is written by it, and no file of ours is left."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.mp4").mkdir()
    for asked, wrong in (
        (["-o", "gone/a.mp4"], "the folder gone does not exist"),
        (["-o", "notes.mp4"], "is a folder"),
        (["-o", "a.txt"], "no kind of file"),
        (["-o", "a.gif", "--latents"], "keeps latents beside an .mp4"),
        (["-o", "a.mp4", "--variations", "0"], "--variations"),
        (["-o", "a.mp4", "--contact-sheet", "a.mp4"], "a.mp4"),
        (["-o", "a.mp4", "--image", "gone.png"], "gone.png"),
    ):
        assert main(["generate", "a red ball", "--plan", *asked]) == 2
        err = capsys.readouterr().err
        assert wrong in err and err.count("\n") == 1
    assert main(["generate", "a red ball", "--plan", "-o", "a.mp4"]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["notes.mp4"]
