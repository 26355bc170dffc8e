"""Words for things: kinds, how they look, how many there are, and what stands for them."""

from __future__ import annotations

from worldreel.world.scene import THINGS
from worldreel.world.words.row import Table, row

PEOPLE = ("woman", "man")
ANIMALS = ("dog", "mammoth", "fish", "dragon")
VEHICLES = ("car", "train", "ship")
HEAPS = ("dominoes", "blocks")  # English says a row of dominoes, a stack of blocks

NOUNS: dict[str, Table] = {
    "kind": (  # singular/plural
        row("ball", "ball/balls; ball/balls; sphere/spheres; orb/orbs", "球; 球; 圆球; 球体; 球儿"),
        row(
            "cube",
            "cube/cubes; cube/cubes; box/boxes; block/blocks",
            "立方体; 方块; 方块; 方盒; 盒子; 箱子",
        ),
        row(
            "cylinder",
            "cylinder/cylinders; cylinder/cylinders; can/cans; drum/drums; barrel/barrels",
            "圆柱; 圆柱体; 圆筒; 圆桶; 柱体",
        ),
        row(
            "cone", "cone/cones; cone/cones; pointed cone/pointed cones", "圆锥; 圆锥; 圆锥体; 锥体"
        ),
        row("ring", "ring/rings; ring/rings; hoop/hoops", "圆环; 圆环; 环; 圆圈"),
        row(
            "dominoes",
            "domino row/domino rows; domino line/domino lines",
            "多米诺骨牌; 多米诺骨牌; 骨牌; 多米诺",
        ),
        row(
            "blocks",
            "block tower/block towers; block stack/block stacks",
            "积木; 积木; 积木块; 积木塔",
        ),
        row(
            "woman",
            "woman/women; woman/women; woman/women; lady/ladies; girl/girls",
            "女人; 女人; 女子; 女士; 女孩; 姑娘; 女生",
        ),
        row(
            "man",
            "man/men; man/men; man/men; gentleman/gentlemen; guy/guys; boy/boys",
            "男人; 男人; 男子; 男士; 男孩; 男生",
        ),
        row(
            "robot",
            "robot/robots; robot/robots; droid/droids; android/androids",
            "机器人; 机器人; 机械人",
        ),
        row("dog", "dog/dogs; dog/dogs; dog/dogs; hound/hounds; puppy/puppies", "狗; 狗; 狗狗; 犬"),
        row(
            "mammoth",
            "woolly mammoth/woolly mammoths; woolly mammoth/woolly mammoths; mammoth/mammoths",
            "猛犸象; 长毛猛犸象; 猛犸",
        ),
        row("fish", "fish/fish", "鱼; 鱼; 鱼儿"),
        row(
            "dragon", "dragon/dragons; dragon/dragons; winged dragon/winged dragons", "龙; 龙; 飞龙"
        ),
        row(
            "car",
            "car/cars; car/cars; motor car/motor cars; automobile/automobiles; sedan/sedans",
            "汽车; 轿车; 车; 车子; 跑车",
        ),
        row(
            "train",
            "train/trains; train/trains; railway train/railway trains; locomotive/locomotives",
            "火车; 火车; 列车",
        ),
        row(
            "ship",
            "sailing ship/sailing ships; ship/ships; ship/ships; sailboat/sailboats; boat/boats; "
            "sailing boat/sailing boats",
            "帆船; 帆船; 船; 船; 船只",
        ),
    ),
    "heap": (  # what English counts
        row("dominoes", "row/rows; row/rows; line/lines; chain/chains", ""),
        row("blocks", "stack/stacks; stack/stacks; tower/towers; pile/piles", ""),
    ),
    "pieces": (
        row("dominoes", "dominoes; dominoes; domino tiles", ""),
        row("blocks", "blocks; blocks; building blocks", ""),
    ),
    "measure": (  # what Chinese counts
        row("ball", "", "个"),
        row("cube", "", "个"),
        row("cylinder", "", "个"),
        row("cone", "", "个"),
        row("ring", "", "个"),
        row("dominoes", "", "排; 排; 列; 串"),
        row("blocks", "", "摞; 叠; 堆"),
        row("woman", "", "个; 个; 位; 名"),
        row("man", "", "个; 个; 位; 名"),
        row("robot", "", "个; 个; 台"),
        row("dog", "", "只; 只; 条"),
        row("mammoth", "", "头"),
        row("fish", "", "条"),
        row("dragon", "", "条"),
        row("car", "", "辆"),
        row("train", "", "列"),
        row("ship", "", "艘"),
    ),
    "garment": (
        row(
            "woman",
            "dress/dresses; dress/dresses; gown/gowns",
            "连衣裙; 连衣裙; 裙子; 裙子; 长裙; 裙",
        ),
        row(
            "man",
            "coat/coats; coat/coats; overcoat/overcoats; jacket/jackets",
            "外套; 外套; 大衣; 大衣",
        ),
    ),
    "color": (
        row(
            "red",
            "red; red; red; crimson; scarlet; bright red",
            "红色; 红色; 鲜红色; 大红色; 红; 红",
        ),
        row("orange", "orange; orange; orange; tangerine", "橙色; 橙色; 橘色; 橘黄色; 橙; 橘红色"),
        row(
            "yellow",
            "yellow; yellow; yellow; lemon yellow; golden yellow",
            "黄色; 黄色; 明黄色; 柠檬黄色; 金黄色; 黄; 黄",
        ),
        row(
            "green",
            "green; green; green; emerald; bright green",
            "绿色; 绿色; 翠绿色; 碧绿色; 绿; 绿; 翠绿",
        ),
        row("cyan", "cyan; cyan; turquoise; aqua; teal", "青色; 青色; 蓝绿色; 青绿色; 青; 湖蓝色"),
        row(
            "blue",
            "blue; blue; blue; royal blue; cobalt blue; deep blue",
            "蓝色; 蓝色; 宝蓝色; 深蓝色; 蓝; 蓝; 天蓝色",
        ),
        row("purple", "purple; purple; violet", "紫色; 紫色; 紫罗兰色; 深紫色; 紫"),
        row("pink", "pink; pink; rosy pink", "粉色; 粉色; 粉红色; 粉红; 粉"),
        row("white", "white; white; white; pure white", "白色; 白色; 纯白色; 洁白; 白; 白"),
        row("black", "black; black; black; jet-black", "黑色; 黑色; 乌黑色; 漆黑; 黑; 黑"),
        row("brown", "brown; brown; chestnut", "棕色; 褐色; 棕褐色; 棕; 咖啡色"),
        row("grey", "grey; grey; gray; gray", "灰色; 灰色; 深灰色; 灰; 银灰色"),
    ),
    "attire": (  # Chinese: clothes in one character, 红衣女子
        row("", "", "衣; 裙", ("woman",)),
        row("", "", "衣", ("man",)),
    ),
    "size": (
        row("small", "small; small; little; tiny", "小; 小; 小小的; 小号; 很小的", THINGS),
        row("small", "short; short; small", "个子矮小的; 矮个子的; 矮小的; 个子小的", PEOPLE),
        row("small", "small; small; little; tiny", "体型较小的; 体型小巧的; 小; 小", ANIMALS),
        row("small", "small; small; little; tiny", "小型; 较小的; 小; 小"),
        row("medium", "medium-sized; mid-sized; medium", "中等大小的; 中号", THINGS),
        row("medium", "", "中等身材的; 中等个子的", PEOPLE),
        row("medium", "medium-sized; mid-sized; medium", "中等体型的; 体型适中的", ANIMALS),
        row("medium", "medium-sized; mid-sized; medium", "中型; 中等大小的"),
        row(
            "large", "large; big; big; huge; giant", "大; 大; 大大的; 大号; 巨大的; 很大的", THINGS
        ),
        row("large", "tall; tall; big", "身材高大的; 高个子的; 高大的", PEOPLE),
        row(
            "large",
            "large; big; big; huge; giant",
            "体型较大的; 体型庞大的; 大; 大; 巨大的",
            ANIMALS,
        ),
        row("large", "large; big; big; huge; tall", "大型; 较大的; 大; 大; 巨大的; 高大的"),
    ),
    "measured": (  # size as a predicate
        row("small", "small; rather small", "个头较小; 尺寸较小", THINGS),
        row("small", "short; rather short", "个子不高; 身材矮小", PEOPLE),
        row("small", "small; rather small", "体型较小; 个头不大", ANIMALS),
        row("small", "small; rather small", "尺寸较小; 体积不大"),
        row("medium", "of medium size; medium-sized", "大小适中; 大小中等", THINGS),
        row("medium", "of medium height; of average height", "身材中等; 身高适中", PEOPLE),
        row("medium", "of medium size; medium-sized", "体型适中; 体型中等", ANIMALS),
        row("medium", "of medium size; medium-sized", "大小适中; 尺寸中等"),
        row("large", "large; rather large", "个头较大; 尺寸较大", THINGS),
        row("large", "tall; rather tall", "身材高大; 个子很高", PEOPLE),
        row("large", "large; rather large", "体型庞大; 个头很大", ANIMALS),
        row("large", "large; rather large", "尺寸较大; 体积很大"),
    ),
    "material": (
        row("matte", "matte; dull", "哑光; 磨砂; 无光泽的; 哑光的"),
        row(
            "glossy",
            "glossy; shiny; shiny; polished",
            "光亮的; 有光泽的; 亮面; 闪亮的; 亮光的; 发亮的",
        ),
        row("metal", "metal; metal; metallic", "金属; 金属; 金属的"),
        row("paper", "paper", "纸质; 纸; 纸做的; 纸质的"),
    ),
    "made": (  # material as a predicate
        row("matte", "matte; dull", "表面 哑光; 表面 没有光泽"),
        row("glossy", "glossy; shiny; polished", "表面 光亮; 表面 很有光泽"),
        row("metal", "made of metal; metallic", "由 金属 制成; 用 金属 做成"),
        row("paper", "made of paper; made from paper", "由 纸 制成; 用 纸 做成"),
    ),
    "number": (
        row("1", "a; one", "一"),
        row("2", "two; two; two; 2", "两; 两; 两; 2"),
        row("3", "three; three; three; 3", "三; 三; 三; 3"),
        row("4", "four; four; four; 4", "四; 四; 四; 4"),
    ),
    "pronoun": (  # singular/plural/its object/their object
        row("", "she/they/her/them", "她/她们/她/她们", ("woman",)),
        row("", "he/they/him/them", "他/他们/他/他们", ("man",)),
        row("", "it/they/it/them", "它/它们/它/它们"),
    ),
}
