"""A dialog that was refused or cancelled leaves a panel that says what is: the sentence until it is mended, and no longer."""

from __future__ import annotations

UNMENDED = {"bones_load", "import_motion"}


def test_file_dialogs(play):
    said = play("refusals.files")[0]["value"]
    assert len(said) == 8
    for operator, found in said.items():
        print(operator, found["error"])
        assert found["same"] == [True, True], (operator, found)
        assert found["error"] and found["error"] in found["refused"] and found["error"] not in found["cancelled"], operator
        assert operator in UNMENDED or found["error"] not in found["mended"], (operator, found)
