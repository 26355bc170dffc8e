"""Content Credentials: a signed C2PA manifest in every file that is saved (the only home of c2pa).

sign    the last step of saving: whatever touches a file afterwards breaks its signature
read    the manifest of a file, and whether its signature and hashes hold

A manifest says what made a file, how, and from which earlier files. It shows that nothing was
changed since; who signed it shows only where a trust list knows the certificate, and the one that
worldreel makes by itself is on none. Nothing here uses the network.

The standard is C2PA 2 (https://spec.c2pa.org); docs/provenance.md says what of it is used.
"""

import dataclasses
import hashlib
import io
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worldreel import certificate, extras, provenance

FORMATS = {
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}
MAGIC = (  # where a file's first bytes tell its format
    (4, b"ftyp", "video/mp4"),
    (0, b"\x89PNG", "image/png"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF8", "image/gif"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
)
UNKNOWN = "application/octet-stream"

OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {"allowed_network_hosts": []},
    "builder": {"thumbnail": {"enabled": False}},
}
ACTIONS = "c2pa.actions.v2"
FTYP = "worldreel.ftyp"  # our assertion: C2PA's hashes leave out the first box of an mp4

NONE = ("ManifestNotFound", "NotSupported")  # errors that stand for: no manifest
HOLDS = ("Valid", "Trusted")
UNTRUSTED = "signingCredential.untrusted"
CHANGED = "it was changed after it was signed"
SAID = {
    "assertion.bmffHash.mismatch": CHANGED,
    "assertion.dataHash.mismatch": CHANGED,
    "assertion.hashedURI.mismatch": "a statement of its manifest was changed",
    "claimSignature.mismatch": "the signature is not of this manifest",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a C2PA manifest says, and what of it does not hold."""

    problems: list[str]  # empty: signature and hashes hold
    trusted: bool = False  # the certificate is on a trust list that the library was given
    signed_by: str = ""
    generator: str = ""
    actions: list[str] = dataclasses.field(default_factory=list)
    digital_source_type: str | None = None
    title: str | None = None
    # of the files that this one was made from; None: a file that had no manifest
    ingredients: "list[Manifest | None]" = dataclasses.field(default_factory=list)


def sign(part: Path, kind: str, metadata: Mapping[str, Any]) -> None:
    """Put a signed manifest into a finished file, or into each frame of a finished folder.

    kind is as `check_writable` tells it, metadata a `Video`'s. Where that fails the file stays as
    it is, which is good but for the signature, and a UserWarning says why in one line.
    """
    if not provenance.wanted():
        return
    try:
        if kind == "folder":
            for frame in sorted(part.glob("*.png")):
                _sign(frame, ".png", metadata, title=frame.name)
        else:
            _sign(part, kind, metadata)
    except Exception as error:  # whatever it is: no clip is lost to a signature
        if isinstance(error, ModuleNotFoundError) and error.name in extras.EXTRA_OF:
            error = extras.missing(error.name)
        why = " ".join(str(error).split()) or type(error).__name__
        warnings.warn(f"the file is marked in its metadata but not signed: {why}", stacklevel=4)


def _sign(part: Path, kind: str, metadata: Mapping[str, Any], title: str | None = None) -> None:
    """`title` binds a frame to its name; elsewhere a name is nobody's business."""
    import c2pa

    algorithm, chain, key = certificate.signer()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, None))
    files = provenance.sources(metadata)
    told: dict[str, Any] = {
        "claim_generator_info": [_agent()],
        "assertions": [_assertion(ACTIONS, {"actions": _actions(metadata, len(files))})],
    }
    if title is not None:
        told["title"] = title
    if kind == ".mp4":
        told["assertions"].append(_assertion(FTYP, {"sha256": _first_box(part)}))
    signed = part.with_suffix(".signed")
    try:
        with (
            c2pa.Context.from_dict(OFFLINE, signer=signer) as context,
            c2pa.Builder(told, context) as builder,
        ):
            for index, file in enumerate(files):
                _add_ingredient(builder, file, index)
            with open(part, "rb") as source, open(signed, "wb+") as target:
                builder.sign(FORMATS[kind], source, target)
        os.replace(signed, part)
    finally:
        signed.unlink(missing_ok=True)


def _actions(metadata: Mapping[str, Any], sources: int) -> list[dict[str, Any]]:
    """What was done, in C2PA's words: made from nothing, or from files that are ingredients."""
    made: dict[str, Any] = {"softwareAgent": _agent()}
    if source_type := metadata.get("digital_source_type", provenance.TRAINED):
        made["digitalSourceType"] = source_type
    if not sources:
        return [{"action": "c2pa.created", **made}]
    taken = [
        {
            "action": "c2pa.placed" if index else "c2pa.opened",
            "parameters": {"ingredientIds": [_label(index)]},
        }
        for index in range(sources)
    ]
    copied = "opened" in metadata  # perhaps in another format
    return [*taken, {"action": "c2pa.transcoded" if copied else "c2pa.edited", **made}]


def _add_ingredient(builder: Any, file: Path, index: int) -> None:
    """An earlier file, with its own manifest if it has one; by name alone if it is gone."""
    import c2pa

    told = {"relationship": "componentOf" if index else "parentOf", "label": _label(index)}
    try:
        with open(file, "rb") as source:
            builder.add_ingredient(told, _format(source.read(12)), source)
    except (OSError, c2pa.C2paError):
        builder.add_ingredient(told, UNKNOWN, io.BytesIO())


def _label(index: int) -> str:
    return f"source-{index}"


def _format(head: bytes) -> str:
    """The format of a file by its first 12 bytes."""
    return next((name for at, magic, name in MAGIC if head[at:].startswith(magic)), UNKNOWN)


def _assertion(label: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "created": True, "data": data}


def _agent() -> dict[str, str]:
    name, version = provenance.generator().split()
    return {"name": name, "version": version}


def _first_box(path: Path) -> str:
    """The SHA-256 of an mp4's first box, `ftyp`, which signing leaves where it is."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(4), "big")
        file.seek(0)
        return hashlib.sha256(file.read(min(size, 4096))).hexdigest()


def read(path: str | os.PathLike[str]) -> Manifest | None:
    """The manifest of a file, or None when it has none; MissingExtraError without c2pa."""
    try:
        import c2pa
    except ModuleNotFoundError:
        raise extras.missing("c2pa") from None
    try:
        with (
            open(path, "rb") as file,
            c2pa.Context.from_dict(OFFLINE) as context,
            c2pa.Reader(None, file, context=context) as reader,
        ):
            found = json.loads(reader.json())
    except c2pa.C2paError as error:
        if isinstance(error, tuple(getattr(c2pa.C2paError, name) for name in NONE)):
            return None
        return Manifest(problems=[f"its manifest is damaged ({' '.join(str(error).split())})"])
    try:
        active = found["active_manifest"]
        told = _told(found["manifests"], active, found.get("validation_results"))
        boxes = [
            assertion["data"]["sha256"]
            for assertion in found["manifests"][active]["assertions"]
            if assertion["label"] == FTYP
        ]
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError):
        told, boxes = None, []
    if told is None:
        return Manifest(problems=["its manifest is of a form that is not understood"])
    problems = list(told.problems)
    if any(box != _first_box(Path(path)) for box in boxes):
        problems.append(CHANGED)
    if found.get("validation_state") not in HOLDS and not problems:
        problems.append("its manifest does not hold")
    trusted = found.get("validation_state") == "Trusted"
    return dataclasses.replace(told, problems=problems, trusted=trusted)


def _told(manifests: dict[str, Any], label: str | None, results: Any) -> Manifest | None:
    """One of a file's manifests, and those of its ingredients; None where it has none of it."""
    own = manifests.get(label or "")
    if own is None:
        return None
    others = {name: one for name, one in manifests.items() if name != label}  # no circles
    results = results or {}
    failed = [*(results.get("activeManifest") or {}).get("failure", ())]
    for delta in results.get("ingredientDeltas") or ():
        failed += (delta.get("validationDeltas") or {}).get("failure", ())
    actions = [
        action
        for assertion in own.get("assertions", ())
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"].get("actions", ())
    ]
    types = [action["digitalSourceType"] for action in actions if "digitalSourceType" in action]
    by = own.get("signature_info") or {}
    info = (own.get("claim_generator_info") or [{"name": own.get("claim_generator", "unnamed")}])[0]
    return Manifest(
        problems=[_said(failure) for failure in failed if failure["code"] != UNTRUSTED],
        signed_by=f"{by.get('common_name') or 'unnamed'} ({by.get('issuer') or 'no issuer'})",
        generator=" ".join(str(info[name]) for name in ("name", "version") if name in info),
        actions=[str(action.get("action")) for action in actions],
        digital_source_type=types[-1] if types else None,
        title=own.get("title"),
        ingredients=[
            _told(others, one.get("active_manifest"), one.get("validation_results"))
            for one in own.get("ingredients") or ()
        ],
    )


def _said(failure: Mapping[str, Any]) -> str:
    code = failure["code"]
    return SAID.get(code) or f"{failure.get('explanation', code)} ({code})"
