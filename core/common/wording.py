"""Numbers in sentences."""


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 frame", "2 frames", "3 people". many = the plural, where it is not formed with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
