"""Words that the world does not have and the nearest that it has; and what is said with a "no".

Near words are taken for known ones, and what is negated is cut out, since words are read one by
one and "no rain" would be read as rain. Both are told, never done in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from worldreel.world.words import PHRASES, lexicon

# The world's word, and what is taken for it. A slash parts one and several, in a name that takes
# an s nothing needs to be said; a bar parts two words of which the seed picks one.
_NEAR: dict[str, dict[str, str]] = {
    "en": {
        "car/cars": "truck; van; bus/buses; taxi; cab; lorry/lorries; pickup; jeep; limousine; suv",
        "train/trains": "tram; subway; metro",
        "ship/ships": "yacht; ferry/ferries; galleon; schooner; vessel; canoe",
        "dog/dogs": "wolf/wolves; husky/huskies; poodle; terrier; bulldog; labrador; corgi; "
        "retriever; golden retriever; dalmatian",
        "mammoth/mammoths": "elephant",
        "dragon/dragons": "wyvern",
        "fish/fish": "goldfish/goldfish; salmon/salmon; tuna/tuna; clownfish/clownfish; shark",
        "ball/balls": "football; basketball; baseball; globe; marble; bubble; balloon; beach ball",
        "cube/cubes": "crate; carton; dice/dice; brick; parcel; package; suitcase",
        "cylinder/cylinders": "tube; pipe; column; pillar",
        "cone/cones": "pyramid; traffic cone",
        "ring/rings": "torus; donut; doughnut; tyre; tire; wheel; bracelet",
        "robot/robots": "cyborg; automaton; mech",
        "woman/women": "queen; princess/princesses; ballerina; witch/witches; mother; actress",
        "man/men": "king; prince; knight; wizard; soldier; cowboy; farmer; astronaut; father; "
        "fireman/firemen; policeman/policemen; businessman/businessmen; samurai/samurai",
        "woman|man/women|men": "person/people; human; adult; pedestrian; tourist; hiker; runner",
        "girl|boy/girls|boys": "child/children; kid; toddler; teenager; student",
        "woman|man": "someone; somebody",
        "red": "maroon; burgundy; ruby; vermilion",
        "yellow": "gold; golden; amber",
        "green": "lime; olive; mint; jade",
        "blue": "navy; azure; indigo; sapphire",
        "pink": "magenta; fuchsia",
        "purple": "lavender; lilac; mauve",
        "grey": "silver",
        "brown": "beige; tan; bronze; copper",
        "white": "ivory",
        "black": "ebony",
        "meadow": "pasture; prairie; hillside; countryside; savanna; garden",
        "in the meadow": "in a park; in the park; through a park; through the park",
        "snowfield": "tundra; glacier; arctic; antarctica",
        "street": "alley; highway; avenue; downtown; parking lot",
        "sea": "lagoon; harbour; harbor; bay; lake; pond; river",
        "table": "counter; countertop; workbench; bench; shelf",
        "desert": "sahara; badlands",
        "spaceship": "starship; rocket; space shuttle",
        "at sunset": "at dawn; at sunrise; at daybreak; early in the morning",
        "sunset": "dawn; sunrise; daybreak",
        "by day": "in the morning; in the afternoon; on a bright morning; on a sunny afternoon",
        "noon": "morning; afternoon",
        "rain": "thunderstorm; storm; drizzle; downpour",
        "snow": "blizzard",
        "fog": "haze; smog",
        "watercolour painting": "oil painting; sketch; drawing",
        "pixel art": "8 bit; 8-bit; voxel; voxels",
        "black and white film": "film noir; noir",
        "run": "gallop; rush; hurry",
        "runs": "gallops; rushes; hurries; galloped",
        "running": "galloping; rushing; hurrying",
        "walk": "crawl; limp; sneak",
        "walks": "crawls; limps; sneaks",
        "walking": "crawling; limping; sneaking",
        "slide": "skate; ski",
        "slides": "skates; skis",
        "sliding": "skating; skiing",
        "two": "a couple of; a pair of; both",
        "three": "a few; several; few; some; a group of; a trio of",
        "four": "five; six; seven; eight; nine; ten; eleven; twelve; twenty; hundred; thousand; "
        "many; countless; numerous; dozens of; hundreds of; thousands of; lots of; a lot of; "
        "a dozen; a hundred; a thousand; plenty of; an army of; a crowd of; a flock of; "
        "a herd of; a pack of; a school of",
    },
    "zh": {
        "汽车": "卡车; 货车; 公交车; 巴士; 出租车; 面包车; 吉普车; 赛车",
        "火车": "地铁; 高铁; 动车; 电车",
        "船": "游艇; 轮船; 渡轮; 小舟",
        "狗": "狼; 哈士奇; 柯基; 金毛; 泰迪",
        "猛犸象": "大象",
        "鱼": "金鱼; 鲨鱼; 小丑鱼; 三文鱼",
        "球": "足球; 篮球; 气球; 泡泡; 弹珠",
        "立方体": "骰子; 砖头; 行李箱",
        "圆柱": "管子; 柱子; 水管",
        "圆锥": "金字塔",
        "圆环": "轮胎; 车轮; 甜甜圈; 手镯",
        "女人": "女王; 公主; 女巫; 妈妈; 奶奶; 母亲",
        "男人": "国王; 王子; 骑士; 巫师; 士兵; 牛仔; 农夫; 宇航员; 航天员; 警察; 爸爸; 爷爷; 父亲",
        "女人|男人": "人; 行人; 路人; 成年人",
        "女孩|男孩": "孩子; 小孩; 儿童; 学生",
        "黄色": "金色",
        "灰色": "银色",
        "棕色": "米色; 古铜色",
        "粉色": "品红色; 桃红色",
        "草地": "花园; 公园; 牧场",
        "雪地": "冰川; 南极; 北极; 冰原",
        "街道": "小巷; 公路; 高速公路; 大街",
        "海": "湖; 河; 池塘; 港口; 海湾",
        "海底": "水族馆",
        "飞船": "火箭",
        "傍晚": "黎明; 清晨; 日出; 拂晓",
        "白天": "早上; 上午; 下午; 早晨",
        "大雨中": "暴风雨中; 雷雨中; 暴雨中",
        "大雪中": "暴风雪中",
        "雨": "暴风雨; 雷雨; 暴雨",
        "雪": "暴风雪",
        "雾": "雾霾",
        "水彩画": "油画; 素描; 水墨画; 国画",
        "像素画": "体素",
        "两": "一对; 一双",
        "三个": "一些; 若干; 几个",
        "三只": "几只",
        "三条": "几条",
        "三辆": "几辆",
        "四个": "许多; 很多; 一群; 无数; 一大群",
        "四": "五; 六; 七; 八; 九; 十",
    },
}
# Of what is negated all is cut up to a comma or a joint.
_NO = {
    "en": r"\b(?:no|without(?: any)?|not|never|isn't|aren't|doesn't|don't)\b"
    r"(?: (?!(?:and|but|while|on|in|at|with)\b)[\w'-]+){1,5}?"
    r"(?= *(?:[,.;:!?\n]|$)| (?:and|but|while|on|in|at|with)\b)",
    "zh": r"(?:没有|不要|不下|没下|不是|没|无|别)[^，。、；：！？,.;:!?\s的但而在]{1,8}的?",
}  # fmt: skip
_NOT = re.compile(r"\b(?:no|not)\b|[不没无别]")
_DIGITS = {"en": r"\b(?:[5-9]|[1-9][0-9]{1,5})(?= [a-z])", "zh": r"(?:[5-9]|[1-9][0-9]{1,5})(?=\w)"}


@dataclass(frozen=True)
class Plain:
    """A prompt in words of the world. mapped: what was taken for what; negated: what was cut."""

    text: str
    mapped: Mapping[str, str]
    negated: tuple[str, ...]


def plain(text: str, language: str, *, pick: int = 0) -> Plain:
    """The prompt with near words replaced and without what is negated.

    pick: a number, of which the words follow that may mean either of two.
    """
    mapped: dict[str, str] = {}
    negated: list[str] = []
    words = near(language)

    def taken(found: re.Match) -> str:
        if found["known"]:
            return found[0]
        if found["no"]:
            negated.append(found[0].strip())
            return " " if language == "en" else ""
        typed = " ".join(found[0].lower().split())
        options = words.get(typed, words["five" if language == "en" else "五"]).split("|")
        mapped[typed] = options[pick % len(options)]
        return mapped[typed]

    text = _scan(language).sub(taken, " ".join(text.split()))
    return Plain(text, mapped, tuple(dict.fromkeys(negated)))


def negations(text: str, language: str) -> tuple[str, ...]:
    """What a text says no to, each with its no, as it is written."""
    found = _scan(language).finditer(" ".join(text.split()))
    return tuple(dict.fromkeys(match[0].strip() for match in found if match["no"]))


@cache
def near(language: str) -> dict[str, str]:
    """Each near word with the world's; with a bar between two of which either will do."""
    return dict(_near(language))


def _near(language: str) -> Iterator[tuple[str, str]]:
    for known, phrases in _NEAR[language].items():
        one, _, several = known.partition("/")
        for phrase in phrases.split("; "):
            word, _, more = phrase.partition("/")
            yield word, one
            if several:
                yield more or f"{word}s", several


@cache
def _scan(language: str) -> re.Pattern[str]:
    """What is looked for: words of the world that hold a near word or a no, then those alone."""
    words = near(language)
    spoken = {w for row in PHRASES.values() for r in row for f in r.heard(language) for w in f}
    spoken |= {*lexicon()[language]}
    if language == "zh":
        spoken = {word.rstrip("!").replace(" ", "") for word in spoken}
    held = re.compile(_any(words, language))
    spoken = {word for word in spoken if word not in words and not _NOT.fullmatch(word)}
    known = [word for word in spoken if _NOT.search(word) or held.search(word)]
    parts = {
        "known": _any(known, language),
        "no": _NO[language],
        "near": f"{_any(words, language)}|{_DIGITS[language]}",
    }
    return re.compile("|".join(f"(?P<{n}>{p})" for n, p in parts.items()), re.IGNORECASE)


def _any(words: Mapping[str, str] | list[str], language: str) -> str:
    """A pattern of any of these words, the longest that fits."""
    either = "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True) if w)
    return rf"\b(?:{either})\b" if language == "en" else f"(?:{either})"
