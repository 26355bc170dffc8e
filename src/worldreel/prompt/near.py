"""Words that the world does not have and the nearest that it has, which are taken for them.

That is told, never done in silence (`account`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

from worldreel.world.words import lexicon

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
        "cone/cones": "traffic cone",
        "ring/rings": "torus; donut; doughnut; bracelet",
        "robot/robots": "cyborg; automaton; mech",
        "woman/women": "queen; princess/princesses; ballerina; witch/witches; mother; actress",
        "man/men": "king; prince; knight; wizard; soldier; cowboy; farmer; astronaut; father; "
        "fireman/firemen; policeman/policemen; businessman/businessmen; samurai/samurai",
        "woman|man/women|men": "person/people; human; adult; pedestrian; tourist; hiker; runner",
        "girl|boy/girls|boys": "child/children; kid; toddler; teenager; student",
        "woman|man": "someone; somebody",
        "coat/coats": "shirt; t shirt; sweater; hoodie; suit; uniform; raincoat; blazer; vest; "
        "cardigan",
        "dress/dresses": "skirt",
        "is hit by": "gets knocked over by; is knocked over by; gets knocked down by; "
        "is knocked down by; gets hit by",
        "hit by": "knocked over by; knocked down by",
        "the camera orbits left|the camera orbits right": "the camera orbits around; "
        "the camera orbits; the camera circles around; the camera circles; camera orbits around; "
        "camera circles around",
        "runs into": "rams into; plows into; crashes against; smashes against; bangs into",
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
        "in the sunshine": "in the sun",
        "snowy mountains": "snowy mountain pass; snowy mountain; snow capped mountains; "
        "snow covered mountains",
        "in the meadow": "in a park; in the park; through a park; through the park",
        "snowfield": "tundra; glacier; arctic; antarctica",
        "street": "alley; highway; avenue; downtown; parking lot",
        "sea": "lagoon; harbour; harbor; bay; lake; pond; river",
        "table": "counter; countertop; workbench",
        "desert": "sahara; badlands",
        "on the sand": "in the sand",
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
        "船": "海盗船; 小船; 木船; 渔船; 货船; 游艇; 轮船; 渡轮; 小舟",
        "狗": "狼; 哈士奇; 柯基; 金毛; 泰迪",
        "猛犸象": "大象",
        "鱼": "金鱼; 鲨鱼; 小丑鱼; 三文鱼",
        "球": "足球; 篮球; 气球; 泡泡; 弹珠",
        "立方体": "骰子; 砖头; 行李箱",
        "圆柱": "管子; 柱子; 水管",
        "圆环": "甜甜圈; 手镯",
        "女人": "女王; 公主; 女巫; 妈妈; 奶奶; 母亲",
        "男人": "国王; 王子; 骑士; 巫师; 士兵; 牛仔; 农夫; 宇航员; 航天员; 太空人; 警察; 爸爸; "
        "爷爷; 父亲",
        "镜头上仰": "仰拍",
        "镜头下俯": "俯拍",
        "外套": "上衣; 雨衣; 衬衫; 毛衣; 夹克; 西装; 羽绒服; 卫衣; 校服; 制服; 风衣",
        "撞到": "砸到; 砸中; 砸向; 砸在",
        "女人|男人": "老人; 人; 行人; 路人; 成年人",
        "女孩|男孩": "孩子; 小孩; 儿童; 学生",
        "黄昏": "金色的黄昏",
        "黄色": "金色",
        "灰色": "银色",
        "棕色": "米色; 古铜色",
        "粉色": "品红色; 桃红色",
        "草地": "花园; 公园; 牧场",
        "雪地": "冰川; 南极; 北极; 冰原",
        "街道": "小巷; 公路; 高速公路; 大街",
        "海": "湖; 河; 池塘; 港口; 海湾",
        "海底": "水族馆",
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
        "四个": "十几个; 十多个; 几十个; 好多; 好几个; 许多; 很多; 一群; 无数; 一大群",
        "四": "五; 六; 七; 八; 九; 十",
    },
}
_SHADES = "深浅淡暗亮"  # a dark red and a light one are red
_HUES = "红橙黄绿青蓝紫粉棕灰"


@cache
def near(language: str) -> dict[str, str]:
    """Each near word with the world's; with a bar between two of which either will do."""
    return dict(_near(language))


def _near(language: str) -> Iterator[tuple[str, str]]:
    known_already = {*lexicon()["zh"]}
    for shade, hue in product(_SHADES, _HUES) if language == "zh" else ():
        for word in (f"{shade}{hue}色", f"{shade}{hue}"):
            if word not in known_already:
                yield word, f"{hue}色"
    for known, phrases in _NEAR[language].items():
        one, _, several = known.partition("/")
        for phrase in phrases.split("; "):
            word, _, more = phrase.partition("/")
            yield word, one
            if several:
                yield more or f"{word}s", several
