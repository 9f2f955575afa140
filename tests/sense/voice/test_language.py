import pytest

from datong.sense.voice.language import language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("面料很舒服", "zh"),
        ("iPhone 很好用", "zh"),
        ("The fabric is soft and it fits well", "en"),
        ("good", "en"),
        ("质量很好 very good quality would buy again", "mixed"),
        ("Really love this dress, 面料很舒服", "mixed"),
        ("produto muito bom, chegou antes do prazo", "other"),
        ("とても良い商品です", "other"),
        ("정말 좋아요", "other"),
        ("", "other"),
        ("👍👍 123", "other"),
    ],
)
def test_language_by_script_and_common_words(text: str, expected: str) -> None:
    assert language(text) == expected
