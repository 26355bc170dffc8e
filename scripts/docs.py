"""Writes the parts of the docs that follow from the code.

    docs/cli.md    the whole command line, from its own help
    docs/rulers.md how often the rulers of the report card are right, from their calibration
    docs/wan.md    its table of memory, from the plan
    docs/*.md      line numbers in links like [`Canvas`](../src/worldreel/canvas.py#L12): the text
                   names what is defined at that line

`make docs` runs it; a test fails when there is something left to write.
"""

import ast
import re
from pathlib import Path

import typer.main
from typer.cli import get_docs_for_click

from worldreel.cli import app
from worldreel.cli.models import memory_table
from worldreel.eval import calibration, report

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[`(?P<name>[\w.]+)(?:\(\))?`\]\((?P<path>[^)#]+\.py)#L\d+\)")
TABLE = re.compile(r"\| model, size \|.*\n(?:\|.*\n)+")
DEFAULT = re.compile(r"\[default: \((.+?)\)\]")  # typer's brackets around what None stands for
HEAD = "<!-- Written by `make docs` from the program's own help; edit the help instead. -->\n\n"

RULERS = (
    "<!-- Written by `make docs` from what `worldreel eval calibrate --write` measured. -->\n\n"
    "# How often the rulers are right\n\n"
    "Percent right on real renders that nothing was trained or chosen on, with Wilson's 95 % "
    "interval and their number; what [the report card](card.md) claims rests on it. A line is "
    "used where it was asked of ten clips at least, is right on as many as it has to be and cries "
    "wolf on no more than 5 %.\n\n"
)


def cli() -> str:
    """docs/cli.md."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="worldreel")
    return HEAD + DEFAULT.sub(r"[default: \1]", text).strip() + "\n"


def rulers() -> str:
    """docs/rulers.md."""
    found = [calibration.packaged(world) for world in ("small", "plain")]
    return RULERS + "\n".join(map(report.calibrated, found))


def line_of(path: Path, name: str) -> int:
    """The line at which a file defines `name` or, in a class, `Class.name`."""
    body, line = ast.parse(path.read_text()).body, 0
    for part in name.split("."):
        found = next((node for node in body if part in names(node)), None)
        if found is None:
            raise SystemExit(f"docs link to {name} in {path}, which does not define it")
        body, line = getattr(found, "body", []), found.lineno
    return line


def names(node: ast.AST) -> list[str]:
    """What a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def renumbered(page: Path) -> str:
    """A page with the line numbers of its links as the code has them now."""

    def renew(link: re.Match) -> str:
        target = (page.parent / link["path"]).resolve()
        return link[0].rsplit("#L", 1)[0] + f"#L{line_of(target, link['name'])})"

    return LINK.sub(renew, page.read_text())


def pages() -> dict[Path, str]:
    """Every page with generated parts, as it should read."""
    found = {page: renumbered(page) for page in sorted((ROOT / "docs").rglob("*.md"))}
    wan = ROOT / "docs/wan.md"
    found[wan] = TABLE.sub(lambda _: memory_table() + "\n", found[wan], count=1)
    return found | {ROOT / "docs/cli.md": cli(), ROOT / "docs/rulers.md": rulers()}


if __name__ == "__main__":
    for page, text in pages().items():
        if not page.exists() or page.read_text() != text:
            page.write_text(text)
            print(f"wrote {page.relative_to(ROOT)}")
