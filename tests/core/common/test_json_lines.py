"""Lines that two processes exchange."""

import pytest

from sapiens2_avatar.core.common.json_lines import decode_line, encode_line


def test_a_message_arrives_as_it_was_sent_and_is_one_line_of_ascii():
    message = {"step": "write", "arguments": {"path": "/tmp/zwei\nZeilen ü 日本", "numbers": [1, 0.25, None, True]}}
    line = encode_line(message)
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii()
    assert decode_line(line) == message


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_say_is_not_sent(number):
    with pytest.raises(ValueError, match="JSON"):
        encode_line({"number": number})


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", encode_line({"result": {"notes": []}})[:-5], b"loading drivers\n", b"[1]\n", b"null\n", b"\xff\xfe\n"],
    ids=["pipe ended", "blank", "cut off", "printed", "list", "null", "no text"],
)
def test_what_is_no_message_is_told_from_one(line):
    with pytest.raises(ValueError, match=r"no message|Expecting|Unterminated|decode"):
        decode_line(line)
