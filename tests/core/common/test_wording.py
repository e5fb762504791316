"""Numbers in sentences have the right form of their noun."""

from sapiens2_avatar.core.common.wording import counted


def test_one_is_singular_and_all_others_are_plural() -> None:
    assert [counted(n, "input") for n in (0, 1, 2)] == ["0 inputs", "1 input", "2 inputs"]
    assert [counted(n, "person", "people") for n in (1, 3)] == ["1 person", "3 people"]
