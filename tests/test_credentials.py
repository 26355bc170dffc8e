"""Every saved file is signed; a change anywhere is found; no clip is lost to a signature."""

import datetime
import os
import random
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from worldreel import certificate, credentials, provenance
from worldreel.cli.verify import HOLDS, examine
from worldreel.errors import MediaError, MissingExtraError
from worldreel.media import Video

KINDS = ("a.mp4", "a.gif", "a.webp", "a.png", "a")
TRAINED, COMPOSITE = provenance.TRAINED, provenance.COMPOSITE


def video(frames: int = 4, **metadata) -> Video:
    pixels = np.random.default_rng(frames).integers(0, 256, (frames, 32, 48, 3), np.uint8)
    return Video(pixels, metadata={"request": {"prompt": "a red ball", "seed": 3}, **metadata})


def saved(folder: Path, name: str, **metadata) -> Path:
    return video(1 if name.endswith(".png") else 4, **metadata).save(folder / name)


def made_from(*files: Path) -> dict:
    """What an edit's metadata says of the files that it was made from."""
    clips = [Video.open(file).metadata for file in files]
    known = all(clip["digital_source_type"] == TRAINED for clip in clips)
    return {
        "sources": [clip["opened"] for clip in clips],
        "lineage": [{"clip_id": clip.get("clip_id"), "done": "continued"} for clip in clips],
        "digital_source_type": TRAINED if known else COMPOSITE,
    }


def manifest(path: Path) -> credentials.Manifest:
    found = credentials.read(path)
    assert found is not None
    return found


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_is_signed(tmp_path, name):
    path = saved(tmp_path, name)
    files = sorted(path.glob("*.png")) if path.is_dir() else [path]
    assert len(files) == (4 if path.is_dir() else 1)
    for file in files:
        found = manifest(file)
        assert (found.problems, found.trusted, found.ingredients) == ([], False, [])
        assert (found.actions, found.digital_source_type) == (["c2pa.created"], TRAINED)
        assert found.generator == provenance.generator()
        assert found.title == (file.name if path.is_dir() else None)
    assert examine(str(path))["found"] == HOLDS
    assert len(Video.open(path)) == (1 if name == "a.png" else 4)


def test_what_is_signed_says_how_it_was_made(tmp_path):
    drawn = saved(tmp_path, "a.mp4", digital_source_type=provenance.RENDERED)
    assert manifest(drawn).digital_source_type == provenance.RENDERED


def store(data: bytes, name: str) -> range:
    """Where a file's C2PA manifest lies: the one place that its hashes do not cover."""
    kind = Path(name).suffix
    at = 0
    if kind == ".mp4":  # boxes: size, name
        while data[at + 4 : at + 8] != b"uuid":
            at += int.from_bytes(data[at : at + 4], "big")
        return range(at, at + int.from_bytes(data[at : at + 4], "big"))
    if kind == ".png":  # chunks: size, name, content, checksum
        at = data.index(b"caBX") - 4
        return range(at, at + 12 + int.from_bytes(data[at : at + 4], "big"))
    if kind == ".webp":  # chunks: name, size, content, even
        at = data.index(b"C2PA")
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        return range(at, at + 8 + size + size % 2)
    at = data.index(b"\x21\xff\x0bC2PA_GIF")  # blocks, each with its size, until one of none
    end = at + 14
    while data[end]:
        end += 1 + data[end]
    return range(at, end + 1)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a.png"])
def test_one_flipped_bit_is_found_wherever_it_is(tmp_path, name):
    path = saved(tmp_path, name)
    whole, rng = path.read_bytes(), random.Random(0)
    inside = store(whole, name)
    assert 1000 < len(inside) < 4500
    outside = [i for i in range(len(whole)) if i not in inside]
    places = outside[:40] + outside[-8:] + rng.sample(outside, 48)
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        assert examine(str(path))["found"] != HOLDS, f"a flipped bit in byte {place}"
    path.write_bytes(whole)
    assert examine(str(path))["found"] == HOLDS


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a.png"])
def test_a_manifest_does_not_fit_another_file(tmp_path, name):
    one, other = saved(tmp_path, name), saved(tmp_path, f"other{Path(name).suffix}", clip_id="x")
    data, foreign = one.read_bytes(), other.read_bytes()
    here, there = store(data, name), store(foreign, name)
    assert len(here) == len(there)
    one.write_bytes(data[: here.start] + foreign[there.start : there.stop] + data[here.stop :])
    assert manifest(one).problems


def test_an_edit_has_what_it_was_made_from_as_its_ingredient(tmp_path):
    first = saved(tmp_path, "first.mp4")
    second = saved(tmp_path, "second.webp", **made_from(first))
    third = saved(tmp_path, "third.gif", **made_from(second))
    found = manifest(third)
    assert found.problems == [] and found.actions == ["c2pa.opened", "c2pa.edited"]
    assert found.digital_source_type == TRAINED
    (parent,) = found.ingredients
    assert parent.problems == [] and parent.actions == ["c2pa.opened", "c2pa.edited"]
    (root,) = parent.ingredients
    assert (root.actions, root.ingredients) == (["c2pa.created"], [])
    assert examine(str(third))["found"] == HOLDS
    for file in (second, third):  # no name and no folder of anybody's is in it
        assert b"first" not in file.read_bytes()
        assert str(tmp_path).encode() not in file.read_bytes()


def test_several_sources_are_several_ingredients(tmp_path):
    parents = [saved(tmp_path, name) for name in ("a.mp4", "b.png")]
    Video(video().frames).save(tmp_path / "c.gif")
    path = saved(tmp_path, "d.mp4", **made_from(*parents, tmp_path / "c.gif"))
    found = manifest(path)
    assert found.actions == ["c2pa.opened", "c2pa.placed", "c2pa.placed", "c2pa.edited"]
    assert found.problems == [] and len(found.ingredients) == 3
    assert all(one.problems == [] for one in found.ingredients)


def test_an_ingredient_without_a_manifest_gone_or_damaged_is_said_to_be_so(tmp_path, monkeypatch):
    from PIL import Image

    Image.new("RGB", (48, 32)).save(tmp_path / "recording.png")
    made = made_from(tmp_path / "recording.png")
    assert made["digital_source_type"] == COMPOSITE
    found = manifest(saved(tmp_path, "a.mp4", **made))
    assert (found.problems, found.ingredients) == ([], [None])
    assert found.digital_source_type == COMPOSITE
    parent = saved(tmp_path, "parent.mp4")
    made = made_from(parent)
    parent.write_bytes(parent.read_bytes()[:-9] + b"123456789")
    (held,) = manifest(saved(tmp_path, "b.mp4", **made)).ingredients
    assert held.problems == [credentials.CHANGED]
    parent.unlink()
    found = manifest(saved(tmp_path, "c.mp4", **made))
    assert (found.problems, found.ingredients) == ([], [None])


def test_a_copy_says_that_it_is_one_and_claims_nothing_of_what_nobody_knows(tmp_path):
    from PIL import Image

    copy = Video.open(saved(tmp_path, "a.mp4")).save(tmp_path / "b.gif")
    found = manifest(copy)
    assert found.actions == ["c2pa.opened", "c2pa.transcoded"]
    assert found.ingredients[0].actions == ["c2pa.created"]
    Image.new("RGB", (48, 32)).save(tmp_path / "photo.png")
    copy = Video.open(tmp_path / "photo.png").save(tmp_path / "copy.webp")
    assert manifest(copy).digital_source_type is None
    assert provenance.read_mark(copy)["digital_source_type"] is None
    assert b"DigitalSourceType" not in copy.read_bytes()


def test_latents_belong_to_a_signed_file(tmp_path):
    import torch

    latents = torch.randn(1, 8, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    made = Video(video().frames, latents=latents)
    path = made.save(tmp_path / "a.mp4", sidecar=True)
    assert torch.equal(provenance.load_sidecar(path).latents, latents)
    answer = examine(str(path))
    assert (answer["found"], answer["sidecar"]) == (HOLDS, str(tmp_path / "a.reel"))
    made.save(tmp_path / "b.mp4").replace(path)
    assert "belongs to another clip" in examine(str(path))["problems"][0]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("off", ["0", "off"])
def test_one_setting_turns_all_marks_off(tmp_path, monkeypatch, name, off):
    monkeypatch.setenv(provenance.SWITCH, off)
    path = saved(tmp_path, name)
    assert provenance.read_mark(path) is None
    for file in path.iterdir() if path.is_dir() else [path]:
        assert credentials.read(file) is None and b"worldreel" not in file.read_bytes()
    assert examine(str(path))["found"] == "unmarked"


def test_latents_need_no_mark(tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv(provenance.SWITCH, "0")
    made = Video(video().frames, latents=torch.ones(1, 8, 1, 2, 3), metadata=video().metadata)
    found = provenance.load_sidecar(made.save(tmp_path / "a.mp4", sidecar=True))
    assert found.request["prompt"] == "a red ball"
    opened = Video.open(tmp_path / "a.mp4", latents=True).metadata
    assert opened["digital_source_type"] == provenance.TRAINED  # and what goes on from it is, too
    path = video(5).save(tmp_path / "b.mp4").replace(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="another clip"):
        provenance.load_sidecar(path)
    made.save(path)
    video(5).save(path)  # and the latents of what is replaced go with it
    assert not provenance.sidecar_path(path).exists()


def no_c2pa(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "c2pa", None)


def no_cryptography(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "new"))
    monkeypatch.setitem(sys.modules, "cryptography", None)


def no_settings(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))


def damaged_key(monkeypatch, tmp_path):
    (tmp_path / "worldreel").mkdir()
    (tmp_path / "worldreel/signer.pem").write_text("-----BEGIN")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def full_disk(monkeypatch, tmp_path):
    def replace(a, b):
        raise OSError(28, "No space left on device")

    fake = types.SimpleNamespace(**{**vars(os), "replace": replace})
    monkeypatch.setattr(credentials, "os", fake)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a"])
@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (no_c2pa, "extra 'c2pa' brings: pip install"),
        (no_cryptography, "extra 'c2pa' brings: pip install"),
        (no_settings, "signer.pem cannot be written"),
        (damaged_key, "signer.pem is damaged: remove it"),
        (full_disk, "No space left"),
    ],
)
def test_no_clip_is_lost_to_a_signature(tmp_path, monkeypatch, name, broken, says):
    out = tmp_path / "out"
    out.mkdir()
    broken(monkeypatch, tmp_path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        path = saved(out, name)
    monkeypatch.undo()
    (line,) = [str(warning.message) for warning in told]
    assert line.startswith("the file is marked in its metadata but not signed: ") and says in line
    assert "\n" not in line
    assert provenance.read_mark(path)["prompt"] == "a red ball" and len(Video.open(path)) == 4
    assert examine(str(path))["found"] == "unsigned"
    assert os.listdir(out) == [name]
    assert not path.is_dir() or len(os.listdir(path)) == 5


def test_an_interrupted_signature_leaves_nothing(tmp_path, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(certificate, "signer", interrupted)
    for name in ("a.mp4", "a.gif", "a"):
        with pytest.raises(KeyboardInterrupt):
            saved(tmp_path, name)
    assert os.listdir(tmp_path) == []


def test_a_key_is_made_once_and_says_nothing_of_a_person(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    algorithm, chain, key = certificate.signer()
    assert (algorithm, chain, key) == certificate.signer()
    file = tmp_path / "settings/worldreel/signer.pem"
    assert file.stat().st_mode & 0o777 == 0o600 and os.listdir(file.parent) == ["signer.pem"]
    for one in x509.load_pem_x509_certificates(chain):
        names = {attribute.value for attribute in (*one.subject, *one.issuer)}
        assert names <= {"Self-made certificate", "worldreel", "worldreel authority"}
        assert (one.not_valid_before_utc, one.not_valid_after_utc) == tuple(
            moment.replace(tzinfo=datetime.UTC) for moment in certificate.VALID
        )
    file.unlink()
    assert certificate.signer()[2] != key


def own_certificate(folder: Path, key, *, password: bytes | None = None) -> None:
    """cert.pem and key.pem as an authority would hand them out."""
    authority, day = ec.generate_private_key(ec.SECP256R1()), datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)

    def issued(subject: str, public, *extensions):
        names = [
            x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)])
            for name in ("An authority", subject)
        ]
        builder = x509.CertificateBuilder(*names, public, 7, now - day, now + day)
        ids = (
            x509.SubjectKeyIdentifier.from_public_key(public),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
        )
        for extension in (*extensions, *ids):
            builder = builder.add_extension(extension, isinstance(extension, x509.KeyUsage))
        return builder.sign(authority, hashes.SHA256()).public_bytes(pem.Encoding.PEM)

    usage = x509.KeyUsage(True, *[False] * 8)
    purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
    end = x509.BasicConstraints(ca=False, path_length=None)
    (folder / "cert.pem").write_bytes(issued("A studio", key.public_key(), end, usage, purpose))
    hidden = pem.BestAvailableEncryption(password) if password else pem.NoEncryption()
    is_ed = isinstance(key, ed25519.Ed25519PrivateKey)
    form = pem.PrivateFormat.PKCS8 if is_ed else pem.PrivateFormat.TraditionalOpenSSL
    (folder / "key.pem").write_bytes(key.private_bytes(pem.Encoding.PEM, form, hidden))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder whose cert.pem and key.pem the environment names."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv(certificate.CERTIFICATE, str(folder / "cert.pem"))
    monkeypatch.setenv(certificate.KEY, str(folder / "key.pem"))
    own_certificate(folder, ec.generate_private_key(ec.SECP256R1()))
    return folder


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
)
def test_a_person_signs_with_an_own_certificate(tmp_path, own, make):
    own_certificate(own, make())
    found = manifest(saved(tmp_path, "a.png"))
    assert found.problems == [] and "(A studio)" in found.signed_by


def test_an_own_certificate_that_cannot_be_used_is_one_line(tmp_path, own, monkeypatch):
    def line() -> str:
        with pytest.warns(UserWarning, match="not signed") as told:
            saved(tmp_path, "a.png")
        assert len(told) == 1
        return str(told[0].message)

    own_certificate(own, ec.generate_private_key(ec.SECP256R1()), password=b"secret")
    assert "key.pem, which WORLDREEL_KEY names, is no PEM key without a password" in line()
    own_certificate(own, ec.generate_private_key(ec.SECP256K1()))
    assert "signs with no key such as" in line()
    shutil.copy(own / "cert.pem", own / "key.pem")
    assert "is no PEM key" in line()
    own_certificate(own, ec.generate_private_key(ec.SECP256R1()))
    (own / "cert.pem").write_text("no certificate")
    assert line()
    (own / "cert.pem").unlink()
    assert "cert.pem, which WORLDREEL_CERT or WORLDREEL_KEY names, cannot be read" in line()
    monkeypatch.delenv(certificate.KEY)
    assert "WORLDREEL_CERT and WORLDREEL_KEY go together" in line()


def test_another_key_than_the_certificates_signs_nothing(tmp_path, own):
    key = ec.generate_private_key(ec.SECP256R1())
    (own / "key.pem").write_bytes(certificate._pem(key))
    with pytest.warns(UserWarning, match="not signed"):
        path = saved(tmp_path, "a.png")
    assert examine(str(path))["found"] == "unsigned"


def test_reading_without_the_extra_says_so(tmp_path, monkeypatch):
    path = saved(tmp_path, "a.png")
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(MissingExtraError, match="extra 'c2pa'"):
        credentials.read(path)


def test_nothing_of_it_is_loaded_before_it_is_used():
    code = "import sys, worldreel.media; print({'c2pa', 'cryptography'} & set(sys.modules))"
    where = os.environ | {"PYTHONPATH": str(Path(credentials.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=where, capture_output=True, text=True)
    assert done.stdout == "set()\n"
