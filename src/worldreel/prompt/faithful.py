"""Whether a caption that a language model wrote says what the prompt said, and nothing against it.

Names, numbers, colours, left and right have to be in it; what was to be left out must not be; its
script is the prompt's. It is a check of words, not of meaning: it refuses more than it has to, and
what it refuses is asked for once more.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from worldreel.prompt.account import negations
from worldreel.world.parse import language_of

MORE = 1_500  # characters that a caption may be longer than its prompt
KEPT = 0.5  # of a prompt's words, at least: others may have become better ones

# Each with its other names, which count as the same.
_COLORS = (
    "red crimson scarlet maroon 红", "orange 橙 橘", "yellow golden gold 黄 金色",
    "green emerald 绿", "cyan turquoise teal 青", "blue navy azure 蓝", "purple violet 紫",
    "pink magenta 粉", "white 白", "black 黑", "brown 棕 褐", "grey gray silver 灰 银色",
    "beige 米色",
)  # fmt: skip
_NUMBERS = (
    "2 two pair couple both twin 二 两 双", "3 three 三", "4 four 四", "5 five 五", "6 six 六",
    "7 seven 七", "8 eight 八", "9 nine 九", "10 ten 十", "11 eleven 十一", "12 twelve dozen 十二",
    "100 hundred 百", "1000 thousand 千",
)  # fmt: skip
_SIDES = ("left leftward leftwards 左", "right rightward rightwards 右")
_FROM = (
    r"from (?:the )?(?:left|right)(?: side)?|从(?:画面)?[左右]|right(?=ly\b)|right (?:now|away|on)"
)
_APART = (  # what is never both, so that one says no to the other
    ("day daytime noon midday 白天 正午 中午", "night midnight nighttime 夜 晚上"),
    ("summer 夏", "winter 冬"),
    ("indoors 室内", "outdoors 室外 户外"),
    ("morning sunrise dawn 清晨 早晨 黎明", "evening sunset dusk 傍晚 黄昏 日落"),
)
_ARTICLES = frozenset(
    "a an the and or of to in on at by with from for is are it its as into over under".split()
)


def fault(prompt: str, caption: str) -> str | None:
    """What is wrong with a caption of a prompt, in a few words; None if nothing is."""
    if not caption:
        return "it is empty"
    if len(caption) > len(prompt) + MORE:
        return f"it has {len(caption)} characters"
    if 2 * len(caption) < len(prompt):
        return "it is shorter than the prompt"
    if any(unicodedata.category(c) == "Cc" for c in caption):
        return "it holds control characters"
    if _script(prompt) != _script(caption):
        return "it is in another language"
    return _lost(prompt, caption) or _against(prompt, caption)


def _lost(prompt: str, caption: str) -> str | None:
    """What of the prompt is not in the caption."""
    for what, table in (("colour", _COLORS), ("number", _NUMBERS), ("side", _SIDES)):
        for names in table:
            said = _found(names, prompt)
            if said and not _found(names, caption):
                return f"the {what} {said!r} is missing"
    for number in re.findall(r"\d+(?:[.:]\d+)*", prompt):
        known = any(number in names.split() for names in _NUMBERS)
        if not known and number not in re.findall(r"\d+(?:[.:]\d+)*", caption):
            return f"the number {number!r} is missing"
    for name in _names(prompt):
        if name.lower() not in caption.lower():
            return f"the name {name!r} is missing"
    words, kept = _words(prompt), _words(caption)
    there = [word for word in words if any(_alike(word, other) for other in kept)]
    if words and len(there) < KEPT * len(words):
        return "it tells of something else"
    return None


def _against(prompt: str, caption: str) -> str | None:
    """What the caption says against the prompt."""
    language = language_of(prompt)
    left, right = (bool(_found(names, re.sub(_FROM, "", prompt, flags=re.I))) for names in _SIDES)
    for names, wanted in zip(_SIDES, (left, right), strict=True):
        other = _found(names, re.sub(_FROM, "", caption, flags=re.I))
        if other and not wanted and (left or right):
            return f"it says {other!r}, which the prompt does not"
    for one, other in (pair for a, b in _APART for pair in ((a, b), (b, a))):
        said = _found(other, caption)
        if _found(one, prompt) and not _found(other, prompt) and said:
            return f"it says {said!r}, against the prompt"
    bare = caption
    for piece in negations(caption, language):
        bare = bare.replace(piece, " ")
    for piece in negations(prompt, language):
        unwanted = _words(re.sub(r"没有|不要|不是|[不没无别]", "", piece)) - {
            "without",
            "no",
            "not",
            "any",
        }
        for word in unwanted:
            if any(_alike(word, other) for other in _words(bare)):
                return f"it says {word!r}, which the prompt says no to"
    return _miscoloured(prompt, caption)


def _miscoloured(prompt: str, caption: str) -> str | None:
    """A thing of the prompt that has another colour in the caption; of English, word by word."""
    for color, noun in _coloured(prompt):
        others = {c for c, n in _coloured(caption) if n == noun}
        if others and color not in others:
            return f"the {noun} has another colour"
    return None


def _coloured(text: str) -> list[tuple[int, str]]:
    """The colours of a text by their number, each with the word that comes next."""
    words = re.findall(r"[a-z]+", text.lower())
    number = {name: i for i, names in enumerate(_COLORS) for name in names.split()}
    pairs = zip(words, words[1:], strict=False)
    return [(number[w], after) for w, after in pairs if w in number and after not in number]


def _found(names: str, text: str) -> str | None:
    """The first of some names that is in a text: a word in English, any characters in Chinese."""
    for name in names.split():
        if re.search(rf"\b{name}\b" if name.isascii() else re.escape(name), text, re.IGNORECASE):
            return name
    return None


def _names(text: str) -> list[str]:
    """Words with a capital that begin no sentence, and what stands in quotation marks."""
    capital = re.findall(r"(?<![.!?\n] )(?<!^)\b[A-Z][\w'’]+", text)
    quoted = re.findall(r"[\"“「《]([^\"”」》]{1,60})[\"”」》]", text)
    shouted = text.isupper()  # capitals throughout are no names
    return quoted + ([] if shouted else [word for word in capital if len(word) > 1])


def _words(text: str) -> set[str]:
    """The words of a text that say something: of Chinese, its characters."""
    words = re.findall(r"[一-鿿]|[^\W\d_一-鿿]+", text.lower())
    return {w for w in words if w not in _ARTICLES and w not in "的了着一个在有是和与"}


def _alike(word: str, other: str) -> bool:
    """Whether two words are forms of one: walking, walks."""
    return word == other or (
        len(word) > 3 and word[: max(3, len(word) - 3)] == other[: max(3, len(word) - 3)]
    )


def _script(text: str) -> str:
    """The script of most of a text's letters, as Unicode names it."""
    letters = (unicodedata.name(c, "?").split()[0] for c in text if c.isalpha())
    return max(Counter(letters).items(), key=lambda pair: pair[1], default=("", 0))[0]
