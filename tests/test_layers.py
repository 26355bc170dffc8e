"""The design's walls: who may import whom, where heavy packages live, and the budgets."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/worldreel"

# Lowest first. A room imports from its own row and the rows below it.
ROWS = [
    "errors progress",
    "extras",
    "flow canvas tokens noise samplers guidance",
    "parallel",
    "models world",
    "lora adapted plan offload team checkpoint provenance certificate credentials media mux"
    " pictures output device shelf",
    "engine coding public conditions loading request course prompt tasks clips montage timeline"
    " framing values footage settings",
    "data film play stream windows parts",
    "serve train eval bench",
    "cli worldreel __main__",  # worldreel: the public surface, __init__.py
]
ROW = {room: row for row, rooms in enumerate(ROWS) for room in rooms.split()}
SEE_THE_WORLD = {"world", "prompt", "play", "data", "train", "eval", "cli"}

# Where a heavy package may be imported.
HOMES = {
    "av": r"(media|mux)\.py",
    "c2pa": r"credentials\.py",
    "cryptography": r"certificate\.py",
    "mujoco": r"world/(stage|act)\.py",
    "torch.distributed": r"parallel\.py",
    "transformers": r"models/wan_text\.py",
    "huggingface_hub": r"shelf\.py",
    "typer": r"cli/.*",
    "rich": r"cli/.*|train/log\.py",
    "pydantic": r"serve/.*",
    "diffusers": r"(?!)",  # the tests, and bench/twins.py by its name
}
WITHOUT_TORCH = (
    r"(request|course|tasks|timeline|framing|values|settings|errors|progress"
    r"|world/(scene|sample|describe))\.py"
)
# These run where there is nothing but the allowed packages, and so must all that they import.
LEAN = (
    r"((flow|canvas|tokens|noise|samplers|guidance|parallel|checkpoint)|(models|world|train)/.*"
    r"|data/(synth|takes|live|encode|loader)|eval/probes)\.py|recipes/.*"
)
ALLOWED = {"torch", "numpy", "einops", "safetensors", "mujoco", "worldreel"}

LONG = {}  # "path": "the reason why this file may be longer than 400 lines"


def sources() -> dict[str, ast.Module]:
    """Every file of the package and every recipe, parsed: {name: tree}."""
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "recipes").rglob("*.py")]
    return {
        str(f.relative_to(PACKAGE if PACKAGE in f.parents else ROOT)): ast.parse(f.read_text())
        for f in files
    }


def imports(tree: ast.AST, deep: bool = True) -> set[str]:
    """Full names that a file imports; `deep` looks into functions too."""
    found = set()
    for node in ast.walk(tree) if deep else top_level(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import of {node.module}: write the full name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.distributed":
            found.add("torch.distributed")
    return found


def top_level(tree: ast.AST):
    """The nodes that run when the file is imported; what is under TYPE_CHECKING does not."""
    for node in ast.iter_child_nodes(tree):
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not checking and not isinstance(node, ast.FunctionDef | ast.Lambda | ast.Try):
            yield node
            yield from top_level(node)


def file_of(name: str) -> str | None:
    """The package's file that holds an imported name: worldreel.flow.noise -> flow.py."""
    parts = name.split(".")[1:]
    for end in range(len(parts), -1, -1):
        for file in ("/".join(parts[:end]) + ".py", "/".join([*parts[:end], "__init__.py"])):
            if (PACKAGE / file).is_file():
                return file
    return None


def room(file: str) -> str:
    return "worldreel" if file == "__init__.py" else file.split("/")[0].removesuffix(".py")


def test_imports_point_down():
    for file, tree in sources().items():
        if file.startswith("recipes/"):
            continue
        here = room(file)
        assert here in ROW, f"{file} is in no row of the design"
        for name in imports(tree):
            if name.split(".")[0] != "worldreel" or name == "worldreel.__version__":
                continue
            there = room(file_of(name) or name)
            assert ROW[there] <= ROW[here], f"{file} imports {name}, which is above it"
            apart = here == there or ROW[here] != ROW["train"] or ROW[there] != ROW["train"]
            assert apart, f"{file} imports {name}: these four do not know each other"
            assert there != "world" or here in SEE_THE_WORLD, f"{file} may not see the world"


def test_heavy_packages_have_one_home():
    for file, tree in sources().items():
        for name in imports(tree):
            for package, home in HOMES.items():
                if name == package or name.startswith(package + "."):
                    assert re.fullmatch(home, file), f"{file} imports {name}"
            light = re.fullmatch(WITHOUT_TORCH, file) and name.split(".")[0] == "torch"
            assert not light, f"{file} imports torch"


def test_lean_rooms_import_little():
    trees = sources()
    for start in filter(re.compile(LEAN).fullmatch, trees):
        seen, queue = set(), [start]
        while queue:
            file = queue.pop()
            if file in seen:
                continue
            seen.add(file)
            for name in imports(trees[file], deep=False):
                top = name.split(".")[0]
                allowed = top in ALLOWED or top in sys.stdlib_module_names or top == "recipes"
                assert allowed, f"{start} needs {name} (imported by {file})"
                inner = file_of(name) if top == "worldreel" else None
                queue += [inner] if inner else []


def brought_by(module: str) -> set[str]:
    """Packages outside the standard library that `import module` loads."""
    code = f"import sys; old = set(sys.modules); import {module}; print(*set(sys.modules) - old)"
    names = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"worldreel"}


def test_import_is_light():
    assert not brought_by("worldreel")
    assert not brought_by("worldreel.cli") & {"torch", "numpy", "av", "PIL", "mujoco", "einops"}


def tracked() -> list[Path]:
    """What git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_budgets():
    mib = {f: f.stat().st_size / 2**20 for f in tracked()}
    weights = {f: size for f, size in mib.items() if PACKAGE / "weights" in f.parents}
    examiner = {f: size for f, size in weights.items() if "examiner" in str(f)}
    assert sum(weights.values()) <= 32
    assert sum(examiner.values()) <= 4
    assert sum(mib.values()) <= 48
    for file in PACKAGE.rglob("*.py"):
        lines = len(file.read_text().splitlines())
        name = str(file.relative_to(PACKAGE))
        assert lines <= 400 or name in LONG, f"{name}: {lines} lines, more than 400"


def test_nothing_is_unfinished():
    marks = r"TO[D]O|FIX[M]E|XX[X]|NotImplemented[E]rror|no[ ]cover"
    marks += r"|[.](sk[i]p|x[f]ail|import[o]rskip)"
    for file in tracked():
        if file.suffix == ".py":
            assert not re.search(marks, file.read_text()), f"{file} has a mark of unfinished work"
