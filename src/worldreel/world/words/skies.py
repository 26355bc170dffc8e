"""Words for light and weather: before a scene, as clauses, and in a list.

Rows for "outdoors" are said where there is a sky.
"""

from __future__ import annotations

from worldreel.world.words.row import Table, row

SKIES: dict[str, Table] = {
    "light": (
        row(
            "noon",
            "at noon; at midday; in bright daylight; in the middle of the day; in daylight; "
            "by day; during the day; in the daytime",
            "正午; 中午; 白天; 正午时分; 大白天; 白天 里",
        ),
        row(
            "sunset",
            "at sunset; at dusk; in the evening light; in the evening; at sundown; at twilight; "
            "during sunset; at golden hour; in the evening",
            "日落时; 黄昏; 傍晚; 日落; 黄昏时; 日落时分; 傍晚时分; 黄昏时分",
        ),
        row(
            "night",
            "at night; at night; after dark; in the dark of night; by night; in the dark; "
            "at nighttime; at midnight; late at night; during the night",
            "夜晚; 夜里; 晚上; 夜间; 黑夜里; 深夜; 夜; 半夜",
        ),
        row(
            "overcast",
            "on an overcast day; on a cloudy day; in overcast light; in cloudy weather; "
            "in overcast weather",
            "阴天; 阴天; 多云; 多云天",
        ),
    ),
    "sky": (  # light, where there is a sky
        row(
            "noon",
            "under the midday sun; in bright sunlight; on a sunny day; in the sunshine; "
            "in the sunlight; under the sun",
            "正午阳光下; 明媚阳光下; 阳光下; 大太阳下; 阳光明媚的白天",
        ),
        row(
            "sunset",
            "under the setting sun; in the last light of the day; in the light of the setting sun; "
            "under a sunset sky",
            "夕阳下; 落日下; 夕阳 里; 晚霞中; 落日余晖中",
        ),
        row(
            "night",
            "under the night sky; under the stars; in the moonlight; under the moon",
            "夜色中; 夜空下; 星空下; 月光下; 夜空中",
        ),
        row(
            "overcast",
            "under an overcast sky; under a cloudy sky; under clouds; under cloudy skies",
            "阴沉天空下; 多云天空下; 阴云下",
        ),
    ),
    "hour": (  # light in a tag
        row("noon", "noon; midday; bright daylight; daytime; daylight", "正午; 中午; 白天"),
        row(
            "noon",
            "noon; midday; bright daylight; daylight; sunny; sunny day; sunshine; sunlight",
            "正午; 中午; 白天; 阳光; 阳光明媚",
            ("outdoors",),
        ),
        row(
            "sunset",
            "sunset; dusk; evening light; evening; sundown; twilight; golden hour; sunset light; "
            "sunset",
            "日落; 黄昏; 傍晚; 夕阳; 落日; 晚霞",
        ),
        row(
            "night",
            "night; night time; nighttime; dark night; midnight; night scene; moonlight; night",
            "夜晚; 夜里; 夜景; 黑夜; 夜; 晚上; 深夜",
        ),
        row(
            "overcast",
            "overcast; cloudy sky; cloudy; cloudy day; overcast sky; overcast light; clouds",
            "阴天; 多云; 阴云",
        ),
    ),
    "weather": (
        row(
            "clear",
            "in clear weather; under a clear sky; in fine weather; under clear skies",
            "晴朗的天空下; 晴空下; 晴天; 晴天 里",
        ),
        row(
            "snow",
            "in falling snow; in (a|the) snowfall; under falling snow; in heavy snow; "
            "in a snowstorm; while it snows; while snow falls; in snowy weather; in light snow",
            "雪中; 漫天飞雪中; 飘扬的雪花中; 大雪中; 雪天里; 下雪天; 下雪时; 飞雪 里; 风雪中",
        ),
        row(
            "rain",
            "in the rain; in the rain; in pouring rain; in falling rain; in rain; in heavy rain; "
            "while it rains; in rainy weather; in a rainstorm; in the pouring rain",
            "雨中; 雨中; 雨幕中; 纷飞的雨丝中; 大雨中; 雨里; 下雨时; 下雨天; 雨天里",
        ),
        row(
            "fog",
            "in thick fog; in the fog; in dense fog; in fog; in the mist; in mist; in heavy fog; "
            "in foggy weather",
            "浓雾中; 大雾中; 雾气中; 雾中; 雾里; 大雾里; 浓雾里; 雾天里; 薄雾中",
        ),
    ),
    "air": (  # weather as a clause
        row(
            "clear",
            "the sky is clear; the weather is clear; the weather is fine",
            "天空晴朗; 天气晴朗; 晴空万里; 天气 很好",
        ),
        row(
            "snow",
            "snow is falling; it is snowing; snowflakes drift down; it snows; snow falls; "
            "it was snowing; snow was falling",
            "天上 下着雪; 雪花 纷纷 飘落; 天空 飘着雪花; 下着雪; 下雪了; 下着大雪; 正在 下雪; "
            "大雪 纷飞; 飘着雪; 雪花 飘落",
        ),
        row(
            "rain",
            "rain is falling; it is raining; raindrops are falling; it rains; rain falls; "
            "it was raining; rain was falling; rain pours down",
            "天上 下着雨; 雨水 不断 落下; 天空 下着雨; 下着雨; 下雨了; 下着大雨; 正在 下雨; "
            "下着小雨",
        ),
        row(
            "fog",
            "thick fog hangs in the air; it is foggy; fog fills the air; it is misty; "
            "there is fog; there is thick fog; it was foggy; mist hangs in the air",
            "四周 弥漫着 浓雾; 大雾 弥漫; 雾气 弥漫; 起雾了; 有雾; 雾很大; 雾蒙蒙 的; 起了 大雾",
        ),
    ),
    "forecast": (  # weather in a tag
        row("clear", "clear sky; clear weather; clear; fine weather", "晴天; 晴空; 晴朗"),
        row(
            "snow",
            "snow; falling snow; snowfall; snowing; snowy; heavy snow; snowy weather; snowstorm",
            "下雪; 飘雪; 雪天; 雪; 大雪; 雪花; 下雪天; 飞雪",
        ),
        row(
            "rain",
            "rain; falling rain; rainfall; raining; rainy; heavy rain; rainy weather",
            "下雨; 雨天; 雨景; 雨; 大雨; 雨水; 下雨天",
        ),
        row(
            "fog",
            "fog; thick fog; dense fog; foggy; mist; misty; heavy fog; foggy weather",
            "大雾; 浓雾; 雾天; 雾; 有雾; 起雾; 雾气; 薄雾",
        ),
    ),
    # A rainy night: weather and light in one.
    "foul": (
        row("clear", "clear", "晴朗"),
        row("snow", "snowy", "下雪; 下着雪; 飘雪; 大雪纷飞"),
        row("rain", "rainy", "下雨; 下着雨; 阴雨"),
        row("fog", "foggy; misty", "有雾; 起雾; 大雾弥漫"),
    ),
    "time": (
        row("noon", "", "白天; 中午; 正午"),
        row("sunset", "evening", "傍晚; 黄昏"),
        row("night", "night", "夜晚; 晚上; 夜里; 夜"),
    ),
}
