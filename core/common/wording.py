"""Numbers and lists in sentences."""

from collections.abc import Sequence


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 frame", "2 frames", "3 people". many = the plural, where it is not formed with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """One or more words as people list them: "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
