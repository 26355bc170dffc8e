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
        row("ball", "ball/balls; ball/balls; sphere/spheres; orb/orbs", "球; 圆球; 球体"),
        row("cube", "cube/cubes; cube/cubes; box/boxes; block/blocks", "立方体; 方块; 方盒"),
        row(
            "cylinder",
            "cylinder/cylinders; cylinder/cylinders; can/cans; drum/drums",
            "圆柱; 圆柱体; 圆筒",
        ),
        row("cone", "cone/cones; cone/cones; pointed cone/pointed cones", "圆锥; 圆锥体; 锥体"),
        row("ring", "ring/rings; ring/rings; hoop/hoops", "圆环; 圆环; 环"),
        row("dominoes", "", "多米诺骨牌; 多米诺骨牌; 骨牌"),
        row("blocks", "", "积木"),
        row("woman", "woman/women; woman/women; lady/ladies", "女人; 女子; 女士"),
        row("man", "man/men; man/men; gentleman/gentlemen", "男人; 男子; 男士"),
        row("robot", "robot/robots; robot/robots; droid/droids", "机器人; 机器人; 机械人"),
        row("dog", "dog/dogs; dog/dogs; hound/hounds", "狗; 狗; 狗狗"),
        row(
            "mammoth",
            "woolly mammoth/woolly mammoths; woolly mammoth/woolly mammoths; mammoth/mammoths",
            "猛犸象; 长毛猛犸象; 猛犸",
        ),
        row("fish", "fish/fish", "鱼; 鱼; 鱼儿"),
        row("dragon", "dragon/dragons; dragon/dragons; winged dragon/winged dragons", "龙; 飞龙"),
        row("car", "car/cars; car/cars; motor car/motor cars", "汽车; 轿车; 车"),
        row("train", "train/trains; train/trains; railway train/railway trains", "火车; 列车"),
        row(
            "ship",
            "sailing ship/sailing ships; ship/ships; sailboat/sailboats",
            "帆船; 帆船; 船",
        ),
    ),
    "heap": (  # what English counts
        row("dominoes", "row/rows; row/rows; line/lines", ""),
        row("blocks", "stack/stacks; stack/stacks; tower/towers; pile/piles", ""),
    ),
    "pieces": (
        row("dominoes", "dominoes", ""),
        row("blocks", "blocks; building blocks", ""),
    ),
    "measure": (  # what Chinese counts
        row("ball", "", "个"),
        row("cube", "", "个"),
        row("cylinder", "", "个"),
        row("cone", "", "个"),
        row("ring", "", "个"),
        row("dominoes", "", "排; 排; 列"),
        row("blocks", "", "摞; 叠; 堆"),
        row("woman", "", "位; 位; 名"),
        row("man", "", "位; 位; 名"),
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
        row("woman", "dress/dresses", "连衣裙; 连衣裙; 裙子; 长裙"),
        row("man", "coat/coats; coat/coats; overcoat/overcoats", "外套; 外套; 大衣"),
    ),
    "color": (
        row("red", "red; red; crimson; scarlet", "红色; 鲜红色; 艳红色; 红"),
        row("orange", "orange; orange; tangerine", "橙色; 橘色; 橘黄色"),
        row("yellow", "yellow; yellow; lemon yellow", "黄色; 明黄色; 柠檬黄色; 黄"),
        row("green", "green; green; emerald", "绿色; 翠绿色; 碧绿色; 绿"),
        row("cyan", "cyan; cyan; turquoise; aqua", "青色; 蓝绿色; 青绿色"),
        row("blue", "blue; blue; royal blue; cobalt blue", "蓝色; 宝蓝色; 深蓝色; 蓝"),
        row("purple", "purple; purple; violet", "紫色; 紫罗兰色; 深紫色"),
        row("pink", "pink; pink; rosy pink", "粉色; 粉红色; 粉红"),
        row("white", "white; white; pure white", "白色; 纯白色; 洁白; 白"),
        row("black", "black; black; jet-black", "黑色; 乌黑色; 漆黑; 黑"),
        row("brown", "brown; brown; chestnut", "棕色; 褐色; 棕褐色"),
        row("grey", "grey; grey; gray", "灰色; 深灰色"),
    ),
    "size": (
        row("small", "small; little", "小; 小小的; 小号", THINGS),
        row("small", "short", "个子矮小的; 矮个子的", PEOPLE),
        row("small", "small; little", "体型较小的; 体型小巧的", ANIMALS),
        row("small", "small; little", "小型; 较小的"),
        row("medium", "medium-sized; mid-sized", "中等大小的; 中号", THINGS),
        row("medium", "", "中等身材的; 中等个子的", PEOPLE),
        row("medium", "medium-sized; mid-sized", "中等体型的; 体型适中的", ANIMALS),
        row("medium", "medium-sized; mid-sized", "中型; 中等大小的"),
        row("large", "large; big", "大; 大大的; 大号", THINGS),
        row("large", "tall", "身材高大的; 高个子的", PEOPLE),
        row("large", "large; big", "体型较大的; 体型庞大的", ANIMALS),
        row("large", "large; big", "大型; 较大的"),
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
        row("matte", "matte; dull", "哑光; 磨砂; 无光泽的"),
        row("glossy", "glossy; shiny; polished", "光亮的; 有光泽的; 亮面"),
        row("metal", "metal; metallic", "金属"),
        row("paper", "paper", "纸质; 纸"),
    ),
    "made": (  # material as a predicate
        row("matte", "matte; dull", "表面 哑光; 表面 没有光泽"),
        row("glossy", "glossy; shiny; polished", "表面 光亮; 表面 很有光泽"),
        row("metal", "made of metal; metallic", "由 金属 制成; 用 金属 做成"),
        row("paper", "made of paper; made from paper", "由 纸 制成; 用 纸 做成"),
    ),
    "number": (
        row("1", "a; one", "一"),
        row("2", "two", "两"),
        row("3", "three", "三"),
        row("4", "four", "四"),
    ),
    "pronoun": (  # singular/plural/its object/their object
        row("", "she/they/her/them", "她/她们/她/她们", ("woman",)),
        row("", "he/they/him/them", "他/他们/他/他们", ("man",)),
        row("", "it/they/it/them", "它/它们/它/它们"),
    ),
}
