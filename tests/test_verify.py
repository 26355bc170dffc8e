"""`worldreel verify` says what it found, what that shows, and nothing more."""

import io
import json
import shutil
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from worldreel import certificate, credentials, provenance
from worldreel.cli import main
from worldreel.media import Video, packets

NAMES = ("a.mp4", "a.gif", "a.webp", "a.png", "a")
UNMARKED = "no mark was found, which says nothing about how it was made"
UNSIGNED = "it has a mark, but no signature: anyone could have written or changed it"
HOLDS = "nothing was changed since it was signed"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save(name: str, seed: int = 0, **metadata) -> str:
    frames = 1 if name.endswith(".png") else 4
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 32, 48, 3), np.uint8)
    about = {"request": {"prompt": "a red ball", "seed": 3, "model": "marble"}, **metadata}
    return str(Video(pixels, metadata=about).save(name))


def said(capsys, *files: str, code: int) -> str:
    """What is told of files; never that something was filmed."""
    assert main(["verify", *files]) == code
    out, err = capsys.readouterr()
    assert err == "" and "real" not in out.lower() and "authentic" not in out.lower()
    return out


def answers(capsys, *files: str) -> list[dict]:
    main(["verify", *files, "--json"])
    return json.loads(capsys.readouterr().out)["files"]


def reencode(source: str, target: str, *, keep: bool) -> None:
    """Other software's copy of a clip, with its comment or without."""
    with av.open(source) as old, av.open(target, "w") as new:
        if keep:
            new.metadata["comment"] = old.metadata["comment"]
        stream = new.add_stream("mpeg4", rate=12)
        stream.width, stream.height = 48, 32
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(format="yuv420p")))
        new.mux(stream.encode())


def remux(source: str, target: str) -> None:
    """The same packets in a new file, without what else was in the old one."""
    with av.open(source) as old, av.open(target, "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


@pytest.mark.parametrize("name", NAMES)
def test_a_marked_file(capsys, name):
    out = said(capsys, save(name), code=0)
    first, mark, manifest, signer, source = out.splitlines()
    assert first == f"{name}: {HOLDS}"
    assert mark.startswith(f"  mark: {provenance.generator()}, prompt 'a red ball', seed 3, model")
    assert manifest == f"  manifest: created, by {provenance.generator()}"
    assert signer == (
        "  certificate: worldreel (Self-made certificate), on no trust list, so it does not show "
        "who signed"
    )
    assert source == "  source: painted by a model (trainedAlgorithmicMedia)"


def test_what_a_renderer_drew(capsys):
    path = save("a.png", digital_source_type=provenance.RENDERED)
    assert "drawn by a renderer, without a model (algorithmicMedia)" in said(capsys, path, code=0)


def test_an_unmarked_file(capsys):
    Image.new("RGB", (8, 8)).save("a.png")
    Image.new("RGB", (8, 8)).save("a.jpg")
    reencode(save("signed.mp4"), "a.mp4", keep=False)
    Path("folder").mkdir()
    shutil.copy("a.png", "folder/000000.png")
    for name in ("a.png", "a.jpg", "a.mp4", "folder"):
        assert said(capsys, name, code=3) == f"{name}: {UNMARKED}\n"


def test_a_file_that_was_encoded_again_or_stripped(capsys):
    save("a.mp4")
    reencode("a.mp4", "kept.mp4", keep=True)
    assert f"kept.mp4: {UNSIGNED}\n  mark: " in said(capsys, "kept.mp4", code=3)
    remux("a.mp4", "stripped.mp4")
    assert list(packets("stripped.mp4")) == list(packets("a.mp4"))
    assert UNMARKED in said(capsys, "stripped.mp4", code=3)
    for name in ("b.gif", "b.webp", "b.png"):
        with Image.open(save(name)) as image:
            image.save(f"again-{name}", save_all=True)
        found = answers(capsys, f"again-{name}")[0]["found"]
        assert found in ("unmarked", "unsigned")


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a.png"])
def test_a_tampered_file(capsys, name):
    data = bytearray(Path(save(name)).read_bytes())
    data[len(data) * 3 // 5] ^= 1
    Path(name).write_bytes(data)
    out = said(capsys, name, code=1)
    assert out.startswith(f"{name}: {credentials.CHANGED}\n") and "  mark: " in out


def test_a_changed_mark_is_found(capsys):
    for name in ("a.mp4", "a.gif", "a.webp", "a.png"):
        data = Path(save(name)).read_bytes()
        assert b'"fps":12' in data
        Path(name).write_bytes(data.replace(b'"fps":12', b'"fps":24'))
        assert said(capsys, name, code=1).startswith(f"{name}: {credentials.CHANGED}")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: shutil.copy(f / "000001.png", f / "000002.png"),
        lambda f: (f / "000003.png").unlink(),
        lambda f: shutil.copy(f / "000001.png", f / "000004.png"),
        lambda f: Video(Video.open(f / "000001.png").frames[:1]).save(f / "000001.png"),
        lambda f: Image.new("RGB", (48, 32)).save(f / "000001.png"),
        lambda f: shutil.copy("other/000001.png", f / "000001.png"),
        lambda f: (f / "clip.json").write_text((f / "clip.json").read_text().replace("red", "bad")),
    ],
    ids=["twice", "gone", "added", "saved again", "replaced", "another's", "note"],
)
def test_a_folder_is_whole_and_in_order_or_said_not_to_be(capsys, spoil):
    save("a")
    save("other")
    assert said(capsys, "a", code=0).startswith(f"a: {HOLDS}")
    spoil(Path("a"))
    assert HOLDS not in said(capsys, "a", code=1)


def test_a_folder_whose_note_is_gone_is_what_its_frames_say(capsys):
    save("a")
    Path("a/clip.json").unlink()
    assert "prompt 'a red ball'" in said(capsys, "a", code=0)


def test_edits_and_what_they_were_made_from(capsys):
    entry, lineage = {}, []
    for name, source in (("b.mp4", save("a.mp4")), ("c.webp", "b.mp4")):
        entry = {"clip_id": provenance.read_mark(source)["clip_id"], "done": f"continued as {name}"}
        lineage = [*lineage, entry]
        save(name, lineage=lineage, sources=[Path(source)])
    out = said(capsys, "c.webp", code=0)
    clip_id = provenance.read_mark("a.mp4")["clip_id"]
    assert f"  history: clip {clip_id}, continued as b.mp4\n  history: clip " in out
    by = f"a file signed by worldreel (Self-made certificate) ({{}}, by {provenance.generator()})"
    assert f"  made from: {by.format('opened, edited')}, unchanged by then\n" in out
    assert f"    made from: {by.format('created')}, unchanged by then\n" in out


def test_another_programs_manifest(capsys):
    import c2pa

    algorithm, chain, key = certificate.signer()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, None))
    told = {"claim_generator_info": [{"name": "another\x1b[2J", "version": "1"}]}
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG")
    action = {"action": "c2pa.created", "digitalSourceType": provenance.TRAINED}
    with (
        c2pa.Context.from_dict(credentials.OFFLINE, signer=signer) as context,
        c2pa.Builder(told, context) as builder,
        open("a.jpg", "wb+") as target,
    ):
        builder.add_action(action)
        builder.sign("image/jpeg", plain, target)
    out = said(capsys, "a.jpg", code=0)
    assert out.startswith(f"a.jpg: {HOLDS}\n  manifest: created, by another?[2J 1\n")


def test_latents_of_another_clip(capsys):
    import torch

    clip = Video(np.zeros((4, 32, 48, 3), np.uint8), latents=torch.ones(1, 8, 1, 2, 3))
    clip.save("a.mp4", sidecar=True)
    assert "  latents: a.reel belongs to it\n" in said(capsys, "a.mp4", code=0)
    assert "a.reel" not in said(capsys, save("a.png"), save("a"), code=0)
    Path(save("b.mp4")).replace("a.mp4")
    assert "a.reel belongs to another clip than a.mp4: put its own" in said(capsys, "a.mp4", code=1)


def test_what_cannot_be_read_is_one_line_each(capsys):
    Path("empty.mp4").touch()
    Path("empty.png").touch()
    Path("text.mp4").write_text("no video")
    Path("empty").mkdir()
    for name in ("a.mp4", "a.gif", "a.webp", "a.png"):
        data = Path(save(name)).read_bytes()
        Path(f"half-{name}").write_bytes(data[: len(data) // 2])
        Path(f"short-{name}").write_bytes(data[:40])
    names = ["missing.mp4", "empty.mp4", "empty.png", "text.mp4", "empty", ""]
    for name in names:
        out = said(capsys, name, code=2)
        assert out.count("\n") == 1 and out.startswith(f"{name}: ")
    for name in map(str, Path().glob("[hs]*-a.*")):
        assert main(["verify", name]) in (1, 2)
        assert HOLDS not in capsys.readouterr().out
    good = save("b.png")
    out = said(capsys, "missing.mp4", good, "text.mp4", code=2)  # and goes on with the rest
    assert "missing.mp4: cannot be read: No such file" in out and f"{good}: {HOLDS}" in out


def test_exit_codes_of_several_files(capsys):
    good = save("a.png")
    Image.new("RGB", (8, 8)).save("none.png")
    assert main(["verify", good, good]) == 0
    assert main(["verify", good, "none.png"]) == 3
    assert main(["verify", "none.png", "missing.png", good]) == 2
    assert main(["verify"]) == 2
    capsys.readouterr()
    told = answers(capsys, good, "none.png", "missing.png")
    assert [one["found"] for one in told] == ["holds", "unmarked", "unread"]
    assert told[0]["mark"]["seed"] == 3 and told[0]["manifest"]["signed_by"]
    assert told[2]["problems"] and told[2]["mark"] is None


def test_without_the_extra_the_mark_alone_is_told(capsys, monkeypatch):
    save("a.mp4")
    save("a")
    monkeypatch.setitem(sys.modules, "c2pa", None)
    for name in ("a.mp4", "a"):
        out = said(capsys, name, code=3)
        assert out.startswith(f"{name}: {UNSIGNED}") and "prompt 'a red ball'" in out
        assert "  note: a signature was not looked for: this needs c2pa, which" in out


GENERATE = ["generate", "a red ball", "--size", "64x64", "--steps", "1", "--quiet", "--model"]


@pytest.mark.parametrize("out", ["a.mp4", "a.gif", "a.webp", "a.png", "a"])
def test_what_generate_saves_is_signed(capsys, tiny_model, out):
    length = [] if out == "a.png" else ["--num-frames", "8"]
    files = ["-o", out, "--contact-sheet", "sheet.webp", *length]
    assert main([*GENERATE, str(tiny_model), *files]) == 0
    assert "prompt 'a red ball'" in said(capsys, out, "sheet.webp", code=0)


def test_what_the_world_saves_is_signed(capsys):
    small = ["--size", "64x64", "--quiet"]
    assert main(["world", "preview", "-o", "a.png", "--count", "1", *small]) == 0
    assert main(["world", "show", "3", "-o", "b.mp4", "--seconds", "0.25", *small]) == 0
    capsys.readouterr()
    out = said(capsys, "a.png", "b.mp4", code=0)
    assert out.count("drawn by a renderer, without a model (algorithmicMedia)") == 2


def test_a_missing_signature_is_one_line_on_the_command_line(capsys, tiny_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    line = "note: the file is marked in its metadata but not signed: this needs c2pa, which"
    assert main([*GENERATE[:-2], "--model", str(tiny_model), "-o", "a.gif", "--num-frames", "8",
                 "--contact-sheet", "b.png"]) == 0  # fmt: skip
    assert capsys.readouterr().err.count(line) == 1
    small = ["--size", "64x64", "--quiet", "--count", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.filters", [("default", None, UserWarning, None, 0)])
        assert main(["world", "preview", "-o", "c.png", *small]) == 0
    err = capsys.readouterr().err
    assert err.count(line) == 1 and err.count("\n") == 1
