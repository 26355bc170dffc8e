"""Words for where, when and how a scene is seen: settings, light, weather, styles, cameras."""

from __future__ import annotations

from worldreel.world.words.row import Table, row

OUTDOORS = ("meadow", "snowfield", "wet street", "sandy coast", "desert")

PLACES: dict[str, Table] = {
    "setting": (  # by its name
        row(
            "wooden table",
            "wooden table; wooden tabletop; wood table; ?table; ?tabletop",
            "木桌; 木质桌面; 木头桌子; ?桌子; ?桌面; ?桌",
        ),
        row(
            "meadow",
            "meadow; grass field; grassy field; lawn; ?grass; ?grassland",
            "草地; 草坪; 草原; ?草丛",
        ),
        row("snowfield", "snowfield; snowy field; field of snow", "雪地; 雪原; 积雪的原野"),
        row(
            "wet street",
            "wet street; wet city street; glistening street; neon-lit wet street; "
            "?(city|neon|rainy|rain-soaked|) street; ?road",
            "湿漉漉的街道; 雨后的街道; 霓虹灯下的湿街道; ?街道; ?街; ?马路; ?城市街道",
        ),
        row(
            "sandy coast",
            "sandy coast; sandy beach; seashore; beach; ?sea; ?ocean; ?seaside; ?coast; ?shore",
            "海滩; 沙滩; 海边; ?海; ?大海; ?海面; ?海岸",
        ),
        row("desert", "desert; sandy desert; sand dunes; ?dunes", "沙漠; 荒漠; 沙丘"),
        row(
            "coral reef",
            "coral reef; underwater reef; ?reef; ?corals",
            "珊瑚礁; 水下珊瑚礁; 海底珊瑚丛; ?海底; ?水下; ?珊瑚",
        ),
        row(
            "space station",
            "space station; orbital station; ?spaceship; ?spacecraft",
            "空间站; 太空站; 空间站舱室; ?飞船; ?太空舱",
        ),
    ),
    "at": (  # English: with its preposition
        row(
            "wooden table",
            "(on|atop) (a|a|the) (wooden table|wooden tabletop|wood table); ?on a table",
            "",
        ),
        row(
            "meadow",
            "in (a|a|the) (meadow|grassy field|grass field); on (a|a|the) lawn; on the grass; "
            "?in the grass",
            "",
        ),
        row(
            "snowfield", "(on|in) (a|a|the) (snowfield|snowy field|field of snow); ?on the snow", ""
        ),
        row(
            "wet street",
            "(on|in) (a|a|the) (wet street|wet city street|glistening street); "
            "(on|in) (a|the) neon-lit wet street; "
            "?(on|in) a (|city |neon )street; ?on a road",
            "",
        ),
        row(
            "sandy coast",
            "on (a|a|the) (sandy beach|beach|seashore); on (a|a|the) sandy coast; by the sea; "
            "at the seaside; at the beach; ?(on|at|over|in) the (sea|ocean|coast|shore)",
            "",
        ),
        row(
            "sandy coast",
            "on (a|a|the) rolling sea; on the waves; at sea; on the sea",
            "",
            ("ship",),
        ),
        row(
            "desert",
            "in (a|a|the) (desert|sandy desert); among the dunes; on desert sand; "
            "?(on|over) a desert; ?on sand dunes",
            "",
        ),
        row(
            "coral reef",
            "(in|at|over) (a|a|the) coral reef; underwater in a coral reef; "
            "underwater among corals; at (a|a|the) underwater reef; ?underwater; ?under water; "
            "?(in|under) the water",
            "",
        ),
        row(
            "space station",
            "(in|inside|aboard) (a|a|the) (space station|orbital station); "
            "?(on|aboard|in|inside) a (spaceship|spacecraft)",
            "",
        ),
    ),
    "along": (  # English: of what goes a long way
        row(
            "wooden table",
            "(across|over) (a|a|the) (wooden table|wooden tabletop); ?(across|over) a table",
            "",
        ),
        row(
            "meadow",
            "(across|over) (a|a|the) (meadow|grassy field|lawn); "
            "?(through|across) the (meadow|grass)",
            "",
        ),
        row(
            "snowfield",
            "(across|over) (a|a|the) (snowfield|snowy field|field of snow); "
            "?(through|across|over) the (snow|snowfield)",
            "",
        ),
        row(
            "wet street",
            "along (a|a|the) (wet street|wet city street|glistening street); "
            "?(along|down|through|across) a (|wet )(street|road)",
            "",
        ),
        row(
            "sandy coast",
            "(along|across) (a|a|the) (sandy beach|beach); along the sandy coast; "
            "?(along|over|across) the (coast|shore|seashore|sea|ocean)",
            "",
        ),
        row("sandy coast", "(across|over) (a|a|the) rolling sea; across the waves", "", ("ship",)),
        row(
            "desert",
            "(across|through) (a|a|the) (desert|sandy desert); ?over the (desert|dunes)",
            "",
        ),
        row("coral reef", "(through|over|across) (a|a|the) coral reef", ""),
        row("space station", "through (a|a|the) space station", ""),
    ),
    "spot": (  # Chinese: with its postposition
        row("wooden table", "", "木桌 上; 木质桌面 上; 木头桌子 上"),
        row("meadow", "", "草地 上; 草坪 上; 草原 上"),
        row("snowfield", "", "雪地 上; 雪地 里; 雪原 上; 积雪的原野 上"),
        row("wet street", "", "湿漉漉的街道 上; 雨后的街道 上; 霓虹灯下的湿街道 上"),
        row("sandy coast", "", "沙滩 上; 海滩 上; 海边; 海边沙滩 上"),
        row("sandy coast", "", "海面 上; 大海 上; 起伏的海面 上; 海浪 上", ("ship",)),
        row("desert", "", "沙漠 里; 沙漠 中; 荒漠 中; 沙丘 间"),
        row("coral reef", "", "珊瑚礁 间; 珊瑚礁 中; 水下珊瑚礁 间; 海底珊瑚丛 中"),
        row("space station", "", "空间站 里; 空间站 内; 太空站 里; 空间站舱室 里"),
    ),
    "within": (row("", "", "?上; ?里; ?中; ?内; ?间; ?边; ?旁; ?下"),),
    "light": (
        row(
            "noon",
            "at noon; at midday; in bright daylight; in the middle of the day; ?in daylight; "
            "?by day; ?during the day",
            "正午; 中午; 白天",
        ),
        row(
            "sunset",
            "at sunset; at dusk; in the evening light; ?in the evening",
            "日落时; 黄昏; 傍晚; ?日落; ?黄昏时; ?日落时分; ?傍晚时分",
        ),
        row(
            "night",
            "at night; after dark; in the dark of night; ?by night; ?in the dark",
            "夜晚; 夜里; 晚上; ?夜间; ?黑夜里; ?深夜",
        ),
        row("overcast", "on an overcast day; on a cloudy day; in overcast light", "阴天; 阴天"),
    ),
    "sky": (  # light, where there is a sky
        row("noon", "under the midday sun; in bright sunlight", "正午阳光下; 明媚阳光下"),
        row("sunset", "under the setting sun; in the last light of the day", "夕阳下; 落日下"),
        row("night", "under the night sky", "夜色中; 夜空下"),
        row("overcast", "under an overcast sky; under a cloudy sky", "阴沉天空下; 多云天空下"),
    ),
    "hour": (  # light in a tag
        row("noon", "noon; midday; bright daylight", "正午; 中午; 白天"),
        row("sunset", "sunset; dusk; evening light", "日落; 黄昏; 傍晚"),
        row("night", "night; night time", "夜晚; 夜里; 夜景"),
        row("overcast", "overcast; cloudy sky", "阴天; 多云"),
    ),
    "weather": (
        row("clear", "in clear weather; under a clear sky", "晴朗的天空下; 晴空下"),
        row(
            "snow",
            "in falling snow; in (a|a|the) snowfall; under falling snow; ?in the snow; ?snowing; "
            "?snowy",
            "雪中; 漫天飞雪中; 飘扬的雪花中; ?大雪中; ?雪天里",
        ),
        row(
            "rain",
            "in the rain; in pouring rain; in falling rain; ?raining; ?rainy",
            "雨中; 雨幕中; 纷飞的雨丝中; ?大雨中; ?雨里",
        ),
        row(
            "fog",
            "in thick fog; in the fog; in dense fog; ?foggy; ?misty; ?in the mist",
            "浓雾中; 大雾中; 雾气中; ?雾中; ?雾里",
        ),
    ),
    "air": (  # weather as a clause
        row("clear", "the sky is clear; the weather is clear", "天空晴朗; 天气晴朗"),
        row(
            "snow",
            "snow is falling; it is snowing; snowflakes drift down",
            "天上 下着雪; 雪花 纷纷 飘落; 天空 飘着雪花; ?下着雪; ?下雪了; ?下着大雪",
        ),
        row(
            "rain",
            "rain is falling; it is raining; raindrops are falling",
            "天上 下着雨; 雨水 不断 落下; 天空 下着雨; ?下着雨; ?下雨了; ?下着大雨",
        ),
        row(
            "fog",
            "thick fog hangs in the air; it is foggy; fog fills the air",
            "四周 弥漫着 浓雾; 大雾 弥漫; 雾气 弥漫; ?起雾了; ?有雾",
        ),
    ),
    "forecast": (  # weather in a tag
        row("clear", "clear sky; clear weather", "晴天; 晴空"),
        row("snow", "snow; falling snow; snowfall", "下雪; 飘雪; 雪天"),
        row("rain", "rain; falling rain; rainfall", "下雨; 雨天; 雨景"),
        row("fog", "fog; thick fog; dense fog", "大雾; 浓雾; 雾天"),
    ),
    "style": (
        row(
            "render",
            "as a 3-D render; in 3-D render style; in the style of a 3-D render",
            "三维渲染风格; 三维动画风格",
        ),
        row(
            "paper craft",
            "in paper-craft style; in the style of paper craft; as paper craft",
            "纸艺风格; 手工纸艺风格; 纸雕风格",
        ),
        row(
            "black and white",
            "in black and white; in black-and-white style; as a black-and-white film; "
            "in monochrome",
            "黑白风格; 黑白影像风格",
        ),
        row(
            "pixel art",
            "as pixel art; in pixel-art style; in the style of pixel art",
            "像素画风格; 像素风格; 像素艺术风格",
        ),
        row(
            "watercolour",
            "as a watercolour; in watercolour style; as a watercolour painting; "
            "as a watercolor; in watercolor style",
            "水彩画风格; 水彩风格",
        ),
    ),
    "medium": (  # style as what one sees
        row("render", "3-D render; ?3d; ?3d render; ?3d animation", "三维动画; ?3d动画; ?三维"),
        row(
            "paper craft",
            "paper-craft scene; paper-craft animation; ?paper craft; ?papercraft",
            "纸艺动画; 纸艺作品; ?纸艺; ?剪纸; ?折纸",
        ),
        row(
            "black and white",
            "black-and-white film; black-and-white shot; ?black and white; ?monochrome",
            "黑白影片; 黑白画面; ?黑白; ?黑白电影",
        ),
        row(
            "pixel art",
            "pixel-art scene; pixel-art animation; ?pixel art; ?pixelated",
            "像素画; 像素动画; ?像素; ?像素艺术",
        ),
        row(
            "watercolour",
            "watercolour painting; watercolour; watercolor; ?watercolor painting; "
            "?(watercolor|watercolour) style",
            "水彩画; 水彩动画; ?水彩",
        ),
    ),
    "camera": (  # English: a clause/a tag
        row(
            "static",
            "the camera stays still/static camera; the camera does not move/fixed camera; "
            "the camera is static/static shot",
            "镜头 静止; 镜头 固定不动; 镜头 保持 静止",
        ),
        row(
            "pan_left",
            "the camera pans left/pan left; the camera pans to the left/camera panning left; "
            "the camera turns left/left pan",
            "镜头 向左 摇; 镜头 左摇; 镜头 向左 转",
        ),
        row(
            "pan_right",
            "the camera pans right/pan right; the camera pans to the right/camera panning right; "
            "the camera turns right/right pan",
            "镜头 向右 摇; 镜头 右摇; 镜头 向右 转",
        ),
        row(
            "tilt_up",
            "the camera tilts up/tilt up; the camera tilts upward/camera tilting up; "
            "the camera looks up/upward tilt",
            "镜头 向上 仰; 镜头 上仰; 镜头 向上 倾斜",
        ),
        row(
            "tilt_down",
            "the camera tilts down/tilt down; the camera tilts downward/camera tilting down; "
            "the camera looks down/downward tilt",
            "镜头 向下 俯; 镜头 下俯; 镜头 向下 倾斜",
        ),
        row(
            "dolly_in",
            "the camera dollies in/dolly in; the camera pushes in/camera pushing in; "
            "the camera moves closer/push in",
            "镜头 推近; 镜头 向前 推进; 镜头 推进",
        ),
        row(
            "dolly_out",
            "the camera dollies out/dolly out; the camera pulls back/camera pulling back; "
            "the camera moves back/pull back",
            "镜头 拉远; 镜头 向后 拉; 镜头 后退",
        ),
        row(
            "orbit_left",
            "the camera orbits left/orbit left; the camera circles to the left/"
            "camera orbiting left; the camera arcs to the left/left orbit",
            "镜头 向左 环绕; 镜头 向左 绕行; 镜头 绕向 左侧",
        ),
        row(
            "orbit_right",
            "the camera orbits right/orbit right; the camera circles to the right/"
            "camera orbiting right; the camera arcs to the right/right orbit",
            "镜头 向右 环绕; 镜头 向右 绕行; 镜头 绕向 右侧",
        ),
        row(
            "crane_up",
            "the camera cranes up/crane up; the camera rises/camera rising; "
            "the camera moves up on a crane/crane shot",
            "镜头 升起; 镜头 向上 升起; 镜头 升高",
        ),
        row(
            "follow",
            "the camera follows along/tracking shot; the camera tracks along/follow shot; "
            "the camera follows the action/camera following",
            "镜头 跟随 移动; 镜头 一路 跟拍; 镜头 一路 跟随",
        ),
    ),
    "follows": (row("follow", "follows; tracks; keeps up with", "跟随; 跟拍; 追随"),),
}
