"""Every file that is saved says that a model made it; latents travel beside it in a sidecar.

mark       JSON in the file itself: generator, IPTC source type, the request, a random clip id
sidecar    NAME.reel beside NAME.mp4, which names it: a safetensors file with the latents, bound to
           the video by the clip id and by the SHA-256 of its packets, which no re-tagging changes
"""

import dataclasses
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from worldreel.errors import MediaError

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = _IPTC + "trainedAlgorithmicMedia"  # painted by a model
COMPOSITE = _IPTC + "compositeWithTrainedAlgorithmicMedia"  # a recording, partly repainted
RENDERED = _IPTC + "algorithmicMedia"  # drawn by `world/`, no model involved
SAID = {
    TRAINED: "painted by a model",
    COMPOSITE: "made from a recording or a rendering, and painted by a model in part",
    RENDERED: "drawn by a renderer, without a model",
}

SWITCH = "WORLDREEL_MARK"

SIDECAR = ".reel"
_KEY = "worldreel"  # of the JSON in the sidecar's header


def wanted() -> bool:
    """Whether files are marked, and signed (credentials.py): unless WORLDREEL_MARK=0 says no.

    There is no invisible watermark yet. Its place is in the frames, where `media` hands them to
    `pictures.write` and to `_encode`; what finds it again, beside `credentials.read` in `verify`.
    """
    return os.environ.get(SWITCH, "").strip().lower() not in ("0", "off", "no", "false")


def shown(marked: dict[str, Any]) -> dict[str, Any]:
    """What a file is to carry of its mark: all of it, or nothing where marks are turned off."""
    return marked if wanted() else {}


def mark(metadata: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """What a file says about its making: the request flat, and facts such as width and height.

    `metadata` is a `Video`'s. A clip id in it is kept, so that a copy is known as a copy; a source
    type of None, which nobody told, stays None.
    """
    request = plain(metadata.get("request") or {})
    return {
        **(request if isinstance(request, dict) else {"request": request}),
        **facts,
        "generator": generator(),
        "digital_source_type": metadata.get("digital_source_type", TRAINED),
        "clip_id": str(metadata.get("clip_id") or uuid.uuid4()),
        "lineage": plain(metadata.get("lineage") or []),
    }


def generator() -> str:
    from worldreel import __version__

    return f"worldreel {__version__}"


def metadata_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """A `Video`'s metadata from the mark of its file: the inverse of `mark`."""
    own = ("generator", "digital_source_type", "clip_id", "lineage", "latents")
    request = {k: v for k, v in found.items() if k not in own}
    return {"request": request, **{k: found[k] for k in own if k in found}}


def opened(found: Mapping[str, Any] | None, path: Path) -> dict[str, Any]:
    """The metadata of a clip that was read from a file; of one without a mark nothing is known.

    `opened` is the file itself, and never written anywhere: see `sources`.
    """
    return {**(metadata_of(found) if found else {"digital_source_type": None}), "opened": path}


def sources(metadata: Mapping[str, Any]) -> list[Path]:
    """The files that a clip was made from, whose manifests go into its own.

    An edit has them in `sources`, the one that it goes on from first: what `opened` was of each
    clip that was read from a file. A clip that was only opened is a copy of that file.
    """
    found = metadata.get("sources") or [metadata[name] for name in ("opened",) if name in metadata]
    return [Path(file) for file in found]


def to_text(marked: Mapping[str, Any]) -> str:
    """One line of ASCII JSON, the same bytes for the same mark; nothing for no mark."""
    return json.dumps(marked, sort_keys=True, separators=(",", ":")) if marked else ""


def from_text(text: str | bytes | None) -> dict[str, Any] | None:
    """The mark in a file's comment, or None when the comment is someone else's."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    ours = isinstance(found, dict) and str(found.get("generator", "")).startswith("worldreel ")
    return found if ours else None


def to_xmp(marked: Mapping[str, Any]) -> bytes:
    """The mark as an XMP packet, in which other programs look for IPTC's source type."""
    if not marked:
        return b""
    known = marked["digital_source_type"]
    source = f" Iptc4xmpExt:DigitalSourceType={quoteattr(known)}" if known else ""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about=""'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:exif="http://ns.adobe.com/exif/1.0/"'
        f"{source}>"
        f"<exif:UserComment>{escape(to_text(marked))}</exif:UserComment>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode("ascii")


def from_xmp(packet: bytes | str | None) -> dict[str, Any] | None:
    """The mark in an XMP packet; only our own packets are read, so no XML parser is needed."""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet or ""
    _, _, rest = text.partition("<exif:UserComment>")
    body = rest.partition("</exif:UserComment>")[0]
    return from_text(body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def plain(value: Any) -> Any:
    """A value as plain JSON: of a picture or an array only that there was one."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, os.PathLike):
        return True  # a path says where a person keeps things: that is nobody's business
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: plain(getattr(value, f.name)) for f in fields}
    if getattr(value, "ndim", 0) == 0 and (unbox := getattr(value, "item", None)):
        value = unbox()  # a numpy or torch scalar
    if isinstance(value, int | float):
        return value
    return True


def read_mark(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The mark of a file or of a folder of frames, or None when worldreel did not make it."""
    from worldreel import media

    return media.find_mark(path)


def digest(packets: Iterable[bytes]) -> str:
    """The SHA-256 of a video stream's packets."""
    total = hashlib.sha256()
    for packet in packets:
        total.update(packet)
    return total.hexdigest()


def packets_digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's video packets: it survives new tags, and no new encoding."""
    from worldreel import media

    return digest(media.packets(path))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sidecar:
    """What lies in NAME.reel."""

    latents: Any  # (B, C, T, H, W), a torch tensor in the sampler's dtype
    clip_id: str
    video_sha256: str  # of the video's packets
    request: dict[str, Any]
    lineage: list[Any]
    digital_source_type: str | None  # None: nobody told
    held: dict[str, Any]  # how the video's frames follow from the latents, as the mark has it


def sidecar_path(video: str | os.PathLike[str]) -> Path:
    return Path(video).with_suffix(SIDECAR)


def pack_sidecar(latents: Any, marked: Mapping[str, Any], video_sha256: str) -> bytes:
    """The bytes of NAME.reel, for latents that are a torch tensor or a numpy array."""
    if hasattr(latents, "detach"):
        import safetensors.torch as codec

        latents = latents.detach().cpu().contiguous()
    else:
        import numpy as np
        import safetensors.numpy as codec

        latents = np.ascontiguousarray(latents)
    metadata = metadata_of(marked)
    header = {
        "clip_id": marked["clip_id"],
        "digital_source_type": marked["digital_source_type"],
        "generator": marked["generator"],
        "latents": marked.get("latents") or {},
        "latents_sha256": _tensor_digest(codec.save({"latents": latents})),
        "lineage": metadata["lineage"],
        "request": metadata["request"],
        "video_sha256": video_sha256,
    }
    return codec.save({"latents": latents}, metadata={_KEY: to_text(header)})


def claim_sidecar(video: str | os.PathLike[str]) -> Path:
    """Where the latents beside a video go; MediaError if another kind of file is there."""
    path = sidecar_path(video)
    if path.exists() and not (path.is_file() and _header(path.read_bytes())):
        raise MediaError(
            f"{path} is there and holds no latents of worldreel's: move it away, or choose "
            "another name"
        )
    return path


def stale_sidecar(video: str | os.PathLike[str], marked: Mapping[str, Any]) -> Path | None:
    """The sidecar of the clip at `video`, when that is replaced by another, which `marked` is."""
    path = sidecar_path(video)
    if not (Path(video).is_file() and path.is_file()):
        return None
    header = _header(path.read_bytes())
    try:
        own = _belongs(header, video)
    except MediaError:
        return None
    return path if own and marked["clip_id"] != header.get("clip_id") else None


def _belongs(header: Mapping[str, Any], video: str | os.PathLike[str]) -> bool:
    """Whether a sidecar is a video's by its clip id; by its packets where there is no mark."""
    found = read_mark(video)
    if found is None:  # it was turned off, or removed
        return header.get("video_sha256") == packets_digest(video)
    return found.get("clip_id") is not None and header.get("clip_id") == found["clip_id"]


def _header(raw: bytes) -> dict[str, Any]:
    """What a sidecar says of itself; nothing when it is none."""
    try:
        length = int.from_bytes(raw[:8], "little")
        found = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"][_KEY])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def check_sidecar(video: str | os.PathLike[str]) -> tuple[bytes, dict[str, Any]]:
    """The bytes of the sidecar beside a video, which is its own, and the fields of `Sidecar`.

    A MediaError says that it is missing, damaged or another clip's.
    """
    path = sidecar_path(video)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise MediaError(
            f"{path} cannot be read ({error.strerror}): "
            "latents lie beside an .mp4 that was saved with them"
        ) from None
    header = _header(raw)
    try:
        told = {name: header[name] for name in ("clip_id", "video_sha256")}
        told |= {"request": dict(header["request"]), "lineage": list(header["lineage"])}
        told |= {"held": dict(header.get("latents") or {})}
        told |= {"digital_source_type": header.get("digital_source_type")}
        expected = header["latents_sha256"]
    except (ValueError, KeyError, TypeError):
        raise _damaged(video) from None
    if _tensor_digest(raw) != expected:
        raise _damaged(video)
    if not _belongs(told, video) or told["video_sha256"] != packets_digest(video):
        raise MediaError(
            f"{path} belongs to another clip than {video}: put its own there, or remove it"
        )
    return raw, told


def load_sidecar(video: str | os.PathLike[str]) -> Sidecar:
    """The latents beside a video; MediaError if they are missing, damaged or another clip's."""
    raw, told = check_sidecar(video)
    import safetensors
    import safetensors.torch

    try:
        return Sidecar(latents=safetensors.torch.load(raw)["latents"], **told)
    except (safetensors.SafetensorError, KeyError, ValueError):
        raise _damaged(video) from None


def _damaged(video: str | os.PathLike[str]) -> MediaError:
    return MediaError(
        f"{sidecar_path(video)} is damaged: remove it, and {Path(video).name} is encoded from its "
        "pixels"
    )


def _tensor_digest(raw: bytes) -> str:
    """The SHA-256 of what follows a safetensors header."""
    return hashlib.sha256(raw[8 + int.from_bytes(raw[:8], "little") :]).hexdigest()
