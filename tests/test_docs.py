"""Law 12: the commands of README and docs run, their links lead somewhere, nothing has drifted.

Every ```sh and ```python block of README*.md and docs/*.md runs, page by page, in one empty folder,
so that a block may use what an earlier one wrote. Two things are left to .ci/run, which starts from
nothing: `make` and what installs. A block that cannot run here says why in its first line:
`# not run: the reason`.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from worldreel import checkpoint
from worldreel.prompt import read

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF_INSTALLATION = re.compile(r"^(make|[.]ci/run|git clone|cd|pip install)\b.*$", re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    """A page's blocks that run: (language, text)."""
    found = [(language, text) for language, text in BLOCK.findall(page.read_text())]
    return [(language, text) for language, text in found if not text.startswith("# not run: ")]


def runnable() -> dict[str, list[tuple[str, str]]]:
    """The blocks of each page, without those that an earlier page has already, word for word."""
    seen, found = set(), {}
    for page in PAGES:
        new = [block for block in blocks(page) if block not in seen]
        seen |= set(new)
        if new:
            found[page.name] = new
    return found


RUNNABLE = runnable()


@pytest.mark.parametrize("page", RUNNABLE)
def test_commands_run(page: str, tmp_path: Path):
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for language, text in RUNNABLE[page]:
        if language == "sh":
            text = OF_INSTALLATION.sub("", text)
        command = ["sh", "-euc", text] if language == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{page}:\n{text}\n{done.stdout}\n{done.stderr}"


def test_make_targets_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for page in PAGES:
        named = re.findall(r"(?:`|^)make (\w+)", page.read_text(), re.MULTILINE)
        assert set(named) <= set(targets), f"{page.name}: {set(named) - set(targets)}"


def test_no_page_was_left_half_merged():
    marks = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)
    assert not [page.name for page in PAGES if marks.search(page.read_text())]


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if not re.match(r"https?:|mailto:|#", target):
                path = page.parent / target.split("#")[0]
                assert path.exists(), f"{page.name} links to {target}, which does not exist"


def prompts() -> list[str]:
    """Every prompt that a newcomer is given to type."""
    texts = [page.read_text() for page in ROOT.glob("README*.md")]
    found = [p for text in texts for p in re.findall(r'generate[( ]"(.+?)"', text)]
    return [*found, *re.findall(r"^PROMPT .= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)]


def test_marble_knows_every_word_of_the_examples():
    encoder = checkpoint.load_text(checkpoint.PACKAGED / "marble/text")
    assert len(prompts()) >= 11
    for text in prompts():
        words = read(encoder, text).words()
        assert not words["ignored"] and not words["mapped"], f"{text}: {words}"


def test_maps_name_every_room_and_nothing_else():
    """README's trees and CONTRIBUTING's rows against the package."""
    package = ROOT / "src/worldreel"
    rooms = {p.stem for p in package.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    rooms -= {"__init__", "__main__"}
    for page, pattern, beside in (
        ("README.md", r"^  (?=[a-z])((?:[\w./]+ )+) ", {"weights"}),
        ("README.zh.md", r"^  (?=[a-z])((?:[\w./]+ )+) ", {"weights"}),
        ("CONTRIBUTING.md", r"^(?:math: )?([a-z ]+)$", set()),
    ):
        (drawn,) = re.findall(r"^```text\n((?:src/w|cli)[^`]+)```", (ROOT / page).read_text(), re.M)
        named = " ".join(re.findall(pattern, drawn, re.MULTILINE)).split()
        assert {name.strip("/").removesuffix(".py") for name in named} == rooms | beside, page


def test_generated_parts_are_current():
    spec = importlib.util.spec_from_file_location("docs", ROOT / "scripts/docs.py")
    assert spec and spec.loader
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    for page, text in docs.pages().items():
        assert page.exists() and page.read_text() == text, f"{page.name} has drifted: `make docs`"
