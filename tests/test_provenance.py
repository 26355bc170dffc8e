"""Every file says that a model made it; a sidecar belongs to one clip and to no other."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from worldreel import __version__, provenance
from worldreel.errors import MediaError
from worldreel.media import Video
from worldreel.provenance import load_sidecar, mark, packets_digest, read_mark, sidecar_path
from worldreel.request import Limits, Request, plan

PROMPT = 'a red ball 球 <&> "quoted"'


def video(latents=None, seed: int = 3, **metadata) -> Video:
    frames = np.random.default_rng(seed).integers(0, 256, (4, 32, 48, 3), np.uint8)
    request = plan(Request(prompt=PROMPT, seed=seed), Limits()).to_json()
    return Video(frames, latents=latents, metadata={"request": request, **metadata})


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a", "a.png"])
def test_every_file_says_who_made_it(tmp_path, name):
    made = video()
    if name == "a.png":
        made = dataclasses.replace(made, frames=made.frames[:1])
    found = read_mark(made.save(tmp_path / name))
    assert found is not None
    assert found["generator"] == f"worldreel {__version__}"
    assert found["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert (found["prompt"], found["seed"], found["model"]) == (PROMPT, 3, "marble")
    assert (found["width"], found["height"], found["num_frames"]) == (48, 32, len(made))
    assert found["num_inference_steps"] and found["lineage"] == []
    assert len(found["clip_id"]) == 36


def test_still_pictures_and_webp_carry_the_source_type_where_others_look(tmp_path):
    still = Video(video().frames[:1]).save(tmp_path / "a.png").read_bytes()
    film = video().save(tmp_path / "a.webp").read_bytes()
    for data in (still, film):
        assert b"Iptc4xmpExt:DigitalSourceType=" in data


def test_clip_ids_are_random_and_a_copy_keeps_its_own(tmp_path):
    one, two = (read_mark(video().save(tmp_path / n)) for n in ("a.mp4", "b.mp4"))
    assert one and two and one["clip_id"] != two["clip_id"]
    copy = Video.open(tmp_path / "a.mp4").save(tmp_path / "c.gif")
    assert read_mark(copy) == one


def test_other_peoples_files_have_no_mark(tmp_path):
    import av
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert read_mark(tmp_path / "a.png") is None
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        container.metadata["comment"] = '{"generator": "another 1.0"}'
        stream = container.add_stream("mpeg4", rate=12)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert read_mark(tmp_path / "a.mp4") is None
    with pytest.raises(MediaError):
        read_mark(tmp_path / "missing.mp4")


@pytest.mark.parametrize("text", [None, "", "{", "[]", "7", '{"generator": 7}', "[" * 100_000])
def test_comments_that_are_no_mark(text):
    assert provenance.from_text(text) is None
    assert provenance.from_xmp(text) is None


def test_a_mark_round_trips_and_keeps_no_paths_nor_pictures(tmp_path):
    request = {
        "prompt": PROMPT,
        "image": tmp_path / "secret.png",
        "last_image": np.zeros((4, 4, 3)),
        "seed": np.int64(5),
        "guidance_scale": torch.tensor(4.0),
    }
    made = mark({"request": request, "lineage": [{"clip_id": "x"}]}, width=4)
    assert provenance.from_text(provenance.to_text(made)) == made
    assert provenance.from_xmp(provenance.to_xmp(made)) == made
    assert mark(provenance.metadata_of(made)) == made
    assert "secret" not in json.dumps(made)
    assert (made["image"], made["last_image"], made["seed"]) == (True, True, 5)
    assert made["guidance_scale"] == 4.0
    asked = mark({"request": Request(prompt="x", image=np.zeros((4, 4, 3)))})
    assert (asked["prompt"], asked["image"], asked["last_image"]) == ("x", True, None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_latents_come_back_bit_for_bit(tmp_path, dtype):
    latents = torch.randn(1, 8, 1, 2, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    path = video(latents, lineage=["parent"]).save(tmp_path / "a.mp4", sidecar=True)
    found = load_sidecar(path)
    assert sidecar_path(path).name == "a.reel"
    assert found.latents.dtype == dtype and torch.equal(found.latents, latents)
    assert found.clip_id == (read_mark(path) or {})["clip_id"]
    assert found.video_sha256 == packets_digest(path)
    assert (found.request["prompt"], found.lineage) == (PROMPT, ["parent"])
    assert torch.equal(Video.open(path, latents=True).latents, latents)


def test_latents_are_kept_only_where_they_can_be(tmp_path):
    latents = np.zeros((1, 8, 1, 2, 3), np.float32)
    video(latents).save(tmp_path / "plain.mp4", sidecar=False)
    with pytest.raises(MediaError, match="saved with them"):
        load_sidecar(tmp_path / "plain.mp4")
    with pytest.raises(MediaError, match="has none"):
        video().save(tmp_path / "a.mp4", sidecar=True)
    with pytest.raises(MediaError, match="beside an"):
        video(latents).save(tmp_path / "a.gif", sidecar=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain.mp4"]


def test_an_mp4_names_its_latents_and_takes_them_along(tmp_path):
    """They lie beside it if nobody says otherwise, and go with the clip when it is replaced."""
    held = {"space": "s", "hidden": 3, "decoded": True}
    made = video(torch.ones(1, 8, 1, 2, 3))
    made.metadata["latents"] = held
    path = made.save(tmp_path / "a.mp4")
    assert (read_mark(path) or {})["latents"] == held | {"file": "a.reel"}
    assert Video.open(path).metadata["latents"]["hidden"] == 3
    assert load_sidecar(path).held == held | {"file": "a.reel"}
    assert "latents" not in Video.open(path).metadata["request"]
    assert "latents" not in (read_mark(Video.open(path).save(tmp_path / "b.gif")) or {})
    video(torch.ones(1, 8, 1, 2, 3), seed=4).save(path, sidecar=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.gif"]


def test_a_file_of_another_kind_is_not_replaced_by_latents(tmp_path):
    for data in (b"", b"somebody's film", b"\x02\0\0\0\0\0\0\0{}"):
        (tmp_path / "a.reel").write_bytes(data)
        with pytest.raises(MediaError, match="holds no latents of worldreel's: move it away"):
            video(torch.ones(1, 8, 1, 2, 3)).save(tmp_path / "a.mp4")
        assert [p.name for p in tmp_path.iterdir()] == ["a.reel"]
        assert (tmp_path / "a.reel").read_bytes() == data
    assert video().save(tmp_path / "a.mp4") and (tmp_path / "a.reel").read_bytes() == data


def test_a_damaged_sidecar_is_refused_wherever_the_damage_is(tmp_path):
    path = video(torch.ones(1, 8, 1, 2, 3)).save(tmp_path / "a.mp4", sidecar=True)
    whole = sidecar_path(path).read_bytes()
    damaged = [b"", whole[:5], whole[:100], whole[:-1], b"\xff" * 64, whole + b"\0"]
    for place in (0, 9, len(whole) - 1):
        damaged.append(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    for data in damaged:
        sidecar_path(path).write_bytes(data)
        with pytest.raises(MediaError):
            load_sidecar(path)
    sidecar_path(path).write_bytes(whole)
    load_sidecar(path)


def test_a_sidecar_of_another_clip_is_refused(tmp_path):
    a = video(torch.ones(1, 8, 1, 2, 3), seed=1).save(tmp_path / "a.mp4", sidecar=True)
    b = video(torch.zeros(1, 8, 1, 2, 3), seed=2).save(tmp_path / "b.mp4", sidecar=True)
    sidecar_path(a).write_bytes(sidecar_path(b).read_bytes())
    with pytest.raises(MediaError, match="another clip"):
        load_sidecar(a)
    old = sidecar_path(b).read_bytes()
    again = video(seed=2).save(tmp_path / "b.mp4")  # the same pixels, and another clip id
    sidecar_path(b).write_bytes(old)
    with pytest.raises(MediaError, match="another clip"):
        load_sidecar(again)


def test_the_digest_is_of_the_pictures_and_not_of_the_tags(tmp_path):
    a, b = (video().save(tmp_path / n) for n in ("a.mp4", "b.mp4"))
    assert a.read_bytes() != b.read_bytes()
    assert packets_digest(a) == packets_digest(b)
    assert packets_digest(video(seed=4).save(tmp_path / "c.mp4")) != packets_digest(a)
