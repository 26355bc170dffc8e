"""`worldreel prompt`: what a model reads in a prompt, and the caption that it becomes."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from worldreel.cli.progress import progress
from worldreel.errors import RequestError
from worldreel.request import Request, check, plan
from worldreel.settings import packaged

app = typer.Typer(add_completion=False)

ChatUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A chat server that writes the caption, such as http://localhost:11434/v1 (Ollama); "
        "its key from WORLDREEL_CHAT_KEY.",
        show_default="none",
    ),
]
ChatModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The chat server's model, such as qwen3:8b.", show_default="none"
    ),
]


def written_by(url: str | None, model: str | None) -> Any:
    """The chat that two options ask for, None for neither."""
    if url is None and model is None:
        return None
    if url is None or model is None:
        raise RequestError("--rewrite-url and --rewrite-model go together: give both or none")
    from worldreel.prompt import Chat

    return Chat(url=url, model=model)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def prompt(
    text: Annotated[str, typer.Argument(help="What the video is to show.")],
    seed: Annotated[int, typer.Option(help="The same seed adds the same things.")] = 0,
    model: Annotated[str, typer.Option(help="A name, or a folder of weights.")] = "marble",
    rewrite_url: ChatUrl = None,
    rewrite_model: ChatModel = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a prompt says to a model, and the caption that it can become."""
    asked = Request(prompt=text, seed=seed, model=model)
    check(asked)
    limits = packaged(model)
    if limits is not None:
        plan(asked, limits)
    chat = written_by(rewrite_url, rewrite_model)
    from worldreel.checkpoint import PACKAGED, load_text
    from worldreel.prompt import hear, rewrite
    from worldreel.prompt.rewriting import stated
    from worldreel.shelf import part

    folders = [f for f in (PACKAGED / model, Path(model)) if part(f, "text").is_dir()]
    if not folders:
        raise RequestError(f"no model {model!r}: give the name of a packaged one or a folder")
    encoder = load_text(part(folders[0], "text"))
    name = folders[0].resolve().name
    with progress(quiet=chat is None) as told:  # a chat server may take its time
        told("caption", 0, 1)
        after = hear(encoder, text.strip(), chat or rewrite, seed=seed, name=name)
        told("caption", 1, 1)
    assert after.written is not None
    said = {"prompt": stated(encoder, text.strip(), seed=seed)}
    said["text"] = stated(encoder, after.text, seed=seed) if after.written.by else said["prompt"]
    answer = after.written.to_json() | {
        "understood": said,
        "model": model,
        "seed": seed,
    }
    print(json.dumps(answer, ensure_ascii=False) if as_json else after.text)
    if not as_json:
        _tell(answer)


def _tell(answer: dict[str, Any]) -> None:
    lines = [f"read {word!r} as {near!r}" for word, near in answer["mapped"].items()]
    if answer["ignored"]:
        lines.append(f"not known: {', '.join(map(repr, answer['ignored']))}")
    if answer["without_effect"]:
        lines.append(
            f"known, but without effect here: {', '.join(map(repr, answer['without_effect']))}"
        )
    if answer["left_out"]:
        lines.append(f"left out with its no: {', '.join(map(repr, answer['left_out']))}")
    for line in (*lines, *answer["notes"]):
        print(f"note: {line}", file=sys.stderr)
    print(f"read:  {_listed(answer['understood']['text'])}")
    if answer["added"]:
        print(f"added: {_listed(answer['added'])}")


def _listed(facts: dict[str, str]) -> str:
    return ", ".join(f"{slot} {value}" for slot, value in facts.items()) or "nothing"
