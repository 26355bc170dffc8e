"""Words for where a scene is: settings, by name and with what stands before or behind the name."""

from __future__ import annotations

from worldreel.world.words.row import Table, row

OUTDOORS = ("meadow", "snowfield", "wet street", "sandy coast", "desert")

PLACES: dict[str, Table] = {
    "setting": (  # by its name
        row(
            "wooden table",
            "wooden table; wooden tabletop; wood table; (table|tabletop|desk|wooden desk)",
            "木桌; 木质桌面; 木头桌子; 桌子; 桌面; 书桌; ?桌",
        ),
        row(
            "meadow",
            "meadow; grass field; grassy field; lawn; grass; grassland; field",
            "草地; 草坪; 草原; 草丛; 田野; 草地",
        ),
        row(
            "snowfield",
            "snowfield; snowy field; field of snow; snowy ground; snowy plain; snowy mountains",
            "雪地; 雪地; 雪原; 积雪的原野; 雪山",
        ),
        row(
            "wet street",
            "wet street; wet city street; glistening street; neon-lit wet street; street; road; "
            "city street; wet road; city; pavement; ?(neon|rain-soaked) street",
            "湿漉漉的街道; 雨后的街道; 霓虹灯下的湿街道; 街道; 马路; 城市街道; 街头; ?街; ?城市; "
            "?湿滑的(街道|马路)",
        ),
        row(
            "sandy coast",
            "sandy coast; sandy beach; seashore; beach; seaside; coast; shore; ?sea; ?ocean",
            "海滩; 沙滩; 海边; 海岸; ?海; ?大海; ?海面",
        ),
        row(
            "sandy coast",
            "rolling sea; sea; ocean; open sea",
            "大海; 海面; 海洋; 海",
            ("ship",),
        ),
        row("desert", "desert; sandy desert; sand dunes; dunes", "沙漠; 荒漠; 沙丘; 戈壁沙漠"),
        row(
            "coral reef",
            "coral reef; underwater reef; reef; underwater; corals; seabed",
            "珊瑚礁; 水下珊瑚礁; 海底珊瑚丛; 海底; 水下; 珊瑚",
        ),
        row("coral reef", "coral reef; underwater; reef", "珊瑚礁; 海底; 水下; 水底", ("fish",)),
        row(
            "space station",
            "space station; orbital station; spaceship; spacecraft; space; outer space",
            "空间站; 太空站; 空间站舱室; 飞船; 太空舱; 太空; 宇宙飞船; ?飞船舱",
        ),
    ),
    "at": (  # English: with its preposition
        row(
            "wooden table",
            "(on|atop) (a|the) (wooden table|wooden tabletop|wood table); "
            "on (a|the) (table|table|desk|tabletop|wooden desk); on (wood|table)",
            "",
        ),
        row(
            "meadow",
            "in (a|the) (meadow|grassy field|grass field|field); on (a|the) lawn; on the grass; "
            "on grass; in the grass; on a meadow; on the grassland; on grassy ground; in meadow",
            "",
        ),
        row(
            "snowfield",
            "(on|in) (a|the) (snowfield|snowy field|field of snow); on (snow|the snow); "
            "in (snow|the snow); on snowy ground; on snow-covered ground; on a snowy plain; "
            "on the snowy ground; in the snowy mountains; in a snowy landscape; ?in deep snow",
            "",
        ),
        row(
            "wet street",
            "(on|in) (a|the) (wet street|wet city street|glistening street); "
            "(on|in) (a|the) (street|city street|neon-lit wet street); on (the|a) (road|wet road); "
            "on the (pavement|sidewalk); in (the|a) city; on street; ?(on|in) a neon street",
            "",
        ),
        row(
            "sandy coast",
            "on (a|the) (sandy beach|beach|seashore|sandy coast|coast|shore); on sand; "
            "on the sand; by the (sea|ocean|shore|seaside); at the (seaside|beach|coast|seashore); "
            "on beach; "
            "?(on|at|over) the (sea|ocean)",
            "",
        ),
        row(
            "sandy coast",
            "on a rolling sea; on the waves; at sea; (on|in) the (sea|ocean); on the water; "
            "on the open sea; in the open ocean; on the high seas",
            "",
            ("ship",),
        ),
        row(
            "desert",
            "in (a|the) (desert|sandy desert); in desert; (among|in|on) the dunes; on desert sand; "
            "on (a|the) sand dune; in the sand; ?(on|over) a desert; ?on sand dunes",
            "",
        ),
        row(
            "coral reef",
            "(in|at|over) (a|a|the) coral reef; underwater in a coral reef; near the corals; "
            "underwater among corals; at (a|the) underwater reef; underwater; under water; "
            "under the sea; among corals; by the corals; on the seabed; at the bottom of the sea; "
            "?(in|under) the water",
            "",
        ),
        row(
            "coral reef",
            "in (a|the) coral reef; underwater; under water; under the sea; in the sea; "
            "in the ocean; in the water; in water; among corals; near corals; by the coral reef; "
            "on the reef",
            "",
            ("fish",),
        ),
        row(
            "space station",
            "(in|inside|aboard) (a|the) (space station|orbital station); "
            "(in|inside|aboard|on) (a|the) (spaceship|spacecraft); in space; in outer space; "
            "in space station",
            "",
        ),
    ),
    "along": (  # English: of what goes a long way
        row(
            "wooden table",
            "(across|over) (a|the) (wooden table|wooden tabletop|table|desk); along a table",
            "",
        ),
        row(
            "meadow",
            "(across|over|through) (a|the) (meadow|grassy field|field); over the lawn; "
            "(through|across) the grass",
            "",
        ),
        row(
            "snowfield",
            "(across|over) (a|the) (snowfield|snowy field|field of snow); "
            "(through|across|over) (the|) snow; across snowy ground; through deep snow",
            "",
        ),
        row(
            "wet street",
            "along (a|the) (wet street|wet city street|glistening street|pavement); "
            "(along|down|through|across) (a|the) (street|road|wet street|wet road); "
            "through the city; down a city street",
            "",
        ),
        row(
            "sandy coast",
            "(along|across) (a|the) (sandy beach|beach); along the (sandy coast|coast|shore|sea); "
            "across the sand; ?(along|over|across) the (ocean|seashore|sea|shore)",
            "",
        ),
        row(
            "sandy coast",
            "(across|over) (a|the) rolling sea; across the waves; (across|over) the (sea|ocean); "
            "along the coast; over the water; through the waves",
            "",
            ("ship",),
        ),
        row(
            "desert",
            "(across|through) (a|the) (desert|sandy desert); over the (desert|dunes); "
            "across the dunes; over the sand dunes",
            "",
        ),
        row("coral reef", "(through|over|across) (a|the) (coral reef|reef); along the seabed", ""),
        row("coral reef", "(through|over) (a|the) (coral reef|reef|water|corals)", "", ("fish",)),
        row("space station", "through (a|the) (space station|spaceship|spacecraft)", ""),
    ),
    "onto": (  # English: of what falls there
        row("wooden table", "onto (a|the) (wooden table|table|table|desk|tabletop)", ""),
        row("meadow", "onto the (grass|lawn|meadow); into the grass; onto grass", ""),
        row("snowfield", "(onto|into) the snow; into snow; onto snowy ground", ""),
        row("wet street", "onto (a|the) (wet street|street|road|pavement)", ""),
        row("sandy coast", "onto (a|the) beach; onto the sand; onto a sandy beach", ""),
        row("desert", "onto the (dunes|desert sand); into the desert sand", ""),
        row("coral reef", "onto (a|the) (coral reef|seabed|reef)", ""),
        row("space station", "onto the floor of (a|the) (space station|spaceship)", ""),
    ),
    "spot": (  # Chinese: with its postposition
        row(
            "wooden table",
            "",
            "木桌 上; 木质桌面 上; 木头桌子 上; 桌子 上; 桌子 上; 桌面 上; 桌 上; 桌 上; 书桌 上; "
            "木头 桌面 上; 桌子 上面",
        ),
        row(
            "meadow",
            "",
            "草地 上; 草地 上; 草坪 上; 草原 上; 草地 里; 草丛 里; 草丛 中; 田野 里; 草原 里",
        ),
        row(
            "snowfield",
            "",
            "雪地 上; 雪地 上; 雪地 里; 雪地 中; 雪原 上; 积雪的原野 上; 雪 上; 雪 里; 雪山 下; "
            "雪山 前; 积雪的 地面 上; 冰天雪地 里",
        ),
        row(
            "wet street",
            "",
            "湿漉漉的街道 上; 雨后的街道 上; 霓虹灯下的湿街道 上; 霓虹灯 下; 街道 上; 街道 上; "
            "街 上; 街 上; 马路 上; 街头; 路 上; 路边; 城市 里; 城市街道 上; 湿滑的 马路 上; "
            "湿滑的 街道 上",
        ),
        row(
            "sandy coast",
            "",
            "沙滩 上; 沙滩 上; 海滩 上; 海边; 海边; 海边沙滩 上; 海岸 上; 海岸 边; 岸边; 沙子 上",
        ),
        row(
            "sandy coast",
            "",
            "海面 上; 大海 上; 起伏的海面 上; 海浪 上; 海 上; 海 上; 大海 里; 水面 上; 海洋 上; "
            "海 中",
            ("ship",),
        ),
        row("desert", "", "沙漠 里; 沙漠 中; 沙漠 上; 荒漠 中; 沙丘 间; 沙丘 上; 大漠 里; 荒漠 上"),
        row(
            "coral reef",
            "",
            "珊瑚礁 间; 珊瑚礁 中; 水下珊瑚礁 间; 海底珊瑚丛 中; 海底; 水下; 珊瑚 旁; 珊瑚 间; "
            "珊瑚礁 上; 珊瑚礁 旁",
        ),
        row(
            "coral reef",
            "",
            "珊瑚礁 间; 珊瑚礁 中; 海底珊瑚丛 中; 水 里; 水 里; 水中; 海 里; 海 里; 海底; 水下; "
            "珊瑚 旁; 珊瑚 间; 大海 里; 珊瑚 旁边",
            ("fish",),
        ),
        row(
            "space station",
            "",
            "空间站 里; 空间站 内; 太空站 里; 空间站舱室 里; 飞船 里; 飞船 内; 太空舱 里; 太空 中; "
            "太空 里; 宇宙飞船 里; 宇宙 中; 空间站 中",
        ),
    ),
    "within": (row("", "", "?上; ?里; ?中; ?内; ?间; ?边; ?旁; ?下"),),
}
