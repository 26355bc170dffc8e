"""`worldreel verify`: what a file says of its making, and whether that still holds."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from worldreel.errors import MediaError, MissingExtraError

app = typer.Typer(add_completion=False)

HOLDS, BROKEN, UNREAD, UNSIGNED, UNMARKED = "holds", "broken", "unread", "unsigned", "unmarked"
CODES = {HOLDS: 0, BROKEN: 1, UNREAD: 2, UNSIGNED: 3, UNMARKED: 3}
SAYS = {
    HOLDS: "nothing was changed since it was signed",
    UNSIGNED: "it has a mark, but no signature: anyone could have written or changed it",
    UNMARKED: "no mark was found, which says nothing about how it was made",
}
UNKNOWN_SIGNER = "on no trust list, so it does not show who signed"


@app.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 every file is signed, and nothing was changed since; 1 a file was "
    "changed; 2 a file cannot be read; 3 a file has no mark, or one without a signature; of "
    "several the lowest but 0. No answer says that something was filmed: marks can be removed. "
    "docs/provenance.md has the rest.",
)
def verify(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Videos, pictures, folders of frames.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell what files say of their making, and whether that still holds."""
    answers = [examine(file) for file in files]
    if as_json:
        print(json.dumps({"files": answers}))
    else:
        for answer in answers:
            print("\n".join(told(answer)))
    codes = {CODES[answer["found"]] for answer in answers} - {0}
    if codes:
        raise typer.Exit(min(codes))


def examine(file: str) -> dict[str, Any]:
    """Everything that `worldreel verify` finds out about a file, as plain JSON values."""
    from worldreel import provenance

    path = Path(file)
    answer: dict[str, Any] = {"path": file, "found": UNREAD, "problems": [], "notes": []}
    answer |= {"mark": None, "manifest": None, "sidecar": None}
    try:
        answer["mark"] = provenance.read_mark(path)
        unread = []
    except MediaError as error:
        unread = [str(error)]
    try:
        manifest = _of_frames(path, answer) if path.is_dir() else _manifest(path, answer)
    except (MediaError, OSError) as error:
        manifest, unread = None, unread or [str(error)]
    if manifest is None and unread:
        return answer | {"problems": unread}
    if manifest is not None:
        answer["manifest"] = dataclasses.asdict(manifest)
        answer["problems"] += manifest.problems
    beside = provenance.sidecar_path(path)
    if path.suffix.lower() == ".mp4" and beside.is_file() and not unread:
        try:
            provenance.check_sidecar(path)
            answer["sidecar"] = str(beside)
        except MediaError as error:
            answer["problems"].append(str(error))
    answer["problems"] += unread
    signed, marked = manifest is not None, answer["mark"] is not None
    answer["found"] = (
        BROKEN if answer["problems"] else HOLDS if signed else UNSIGNED if marked else UNMARKED
    )
    return answer


def _manifest(path: Path, answer: dict[str, Any]) -> Any:
    """A file's manifest; without the extra that reads it, a note."""
    from worldreel import credentials

    try:
        return credentials.read(path)
    except MissingExtraError as error:
        answer["notes"] = [f"a signature was not looked for: {error}"]
        return None


def _of_frames(folder: Path, answer: dict[str, Any]) -> Any:
    """The manifest of a folder's frames, which are signed one by one under their names."""
    from worldreel import provenance

    frames = sorted(folder.glob("*.png"))
    if not frames:
        raise MediaError(f"{folder} holds no .png frames")
    found = [
        (frame.name, provenance.read_mark(frame), _manifest(frame, answer)) for frame in frames
    ]
    signed = [(name, mark, manifest) for name, mark, manifest in found if manifest is not None]
    if not signed:
        return None
    _, mark, first = signed[0]
    problems = [f"{name}: {p}" for name, _, manifest in signed for p in manifest.problems]
    problems += [f"{name} is not signed, and others are" for name, _, m in found if m is None]
    problems += [
        f"{name} was signed as another frame, {manifest.title}"
        for name, _, manifest in signed
        if manifest.title != name
    ]
    problems += [f"{name} is of another clip" for name, other, _ in signed if other != mark]
    count = (mark or {}).get("num_frames")
    if [frame.name for frame in frames] != [f"{i:06d}.png" for i in range(count or len(frames))]:
        problems.append(f"frames are missing, or were added: it was signed with {count}")
    if answer["mark"] not in (None, mark):
        problems.append("its clip.json is not what its frames say")
    answer["mark"] = mark
    return dataclasses.replace(first, problems=problems, title=None)


def told(answer: dict[str, Any]) -> list[str]:
    """An answer in lines for people, the first of which says it all."""
    from worldreel.provenance import SAID

    more = len(answer["problems"]) - 1
    first = SAYS.get(answer["found"]) or answer["problems"][0].removeprefix(f"{answer['path']} ")
    others = f" (and {more} more; --json lists them)" if more > 0 else ""
    lines = [f"{answer['path']}: {first}{others}"]
    mark, manifest = answer["mark"] or {}, answer["manifest"] or {}
    if mark:
        names = ("prompt", "seed", "model", "clip_id")
        facts = [f"{name} {mark[name]!r}" for name in names if mark.get(name) is not None]
        lines.append(f"  mark: {', '.join([str(mark['generator']), *facts])}")
    if manifest:
        done = ", ".join(action.removeprefix("c2pa.") for action in manifest["actions"])
        lines.append(f"  manifest: {done or 'no actions'}, by {manifest['generator']}")
        known = "on a trust list" if manifest["trusted"] else UNKNOWN_SIGNER
        lines.append(f"  certificate: {manifest['signed_by']}, {known}")
    source = manifest.get("digital_source_type") or mark.get("digital_source_type")
    if source:
        lines.append(f"  source: {SAID.get(source, 'see')} ({source.rsplit('/', 1)[-1]})")
    for entry in mark.get("lineage") or ():
        if isinstance(entry, dict):
            lines.append(f"  history: clip {entry.get('clip_id')}, {entry.get('done')}")
    lines += _earlier(manifest, 1)
    if answer["sidecar"]:
        lines.append(f"  latents: {answer['sidecar']} belongs to it")
    lines += [f"  note: {note}" for note in answer["notes"]]
    # a file may hold anything, and a terminal obeys control characters
    return ["".join(c if c.isprintable() else "?" for c in line) for line in lines]


def _earlier(manifest: dict[str, Any], depth: int) -> list[str]:
    """A line for each file that went into a file, and for those that went into it."""
    lines = []
    for one in manifest.get("ingredients") or ():
        said = "an unsigned file"
        if one:
            done = ", ".join(action.removeprefix("c2pa.") for action in one["actions"])
            held = f"by then {one['problems'][0]}" if one["problems"] else "unchanged by then"
            said = f"a file signed by {one['signed_by']} ({done}, by {one['generator']}), {held}"
        lines += [f"{'  ' * depth}made from: {said}", *_earlier(one or {}, depth + 1)]
    return lines
