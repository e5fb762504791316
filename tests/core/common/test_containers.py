"""Containers: what is read is what was written, the same bytes for the same content;
what is cut, foreign or newer is explained."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from safetensors.numpy import save_file

from sapiens2_avatar.core.common.containers import SAFETENSORS_TYPES, Format, fitting, read_container, write_container
from sapiens2_avatar.core.common.errors import SapiensError

KIND = Format("sapiens2-test", 3, "a test", "Make it again.", "Choose another.")
ARRAYS = {
    "flags": np.array([True, False]),
    "index": np.arange(5, dtype=np.int32).reshape(5, 1),
    "nothing": np.zeros((0, 4), np.float64),
    "number": np.array(2.5, np.float32),
    "turned": np.arange(12, dtype=np.uint16).reshape(3, 4).T,
    "swapped": np.arange(3, dtype=">f8"),
}


def test_what_is_read_is_what_was_written(tmp_path):
    strings = {"b": "ü \U0001f600 \n", "a": ""}
    path = write_container(tmp_path / "x", KIND, ARRAYS, strings)
    read = read_container(path, KIND)
    assert read.strings == {"format": "sapiens2-test", "version": "3"} | strings
    assert read.arrays.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        assert read.arrays[key].dtype == array.dtype.newbyteorder("=") and read.arrays[key].shape == array.shape
        assert np.array_equal(read.arrays[key], array), key
    assert read_container(path, KIND, lambda key: key == "index").arrays.keys() == {"index"}
    again = write_container(tmp_path / "y", KIND, dict(reversed(ARRAYS.items())), dict(reversed(strings.items())))
    assert path.read_bytes() == again.read_bytes(), "the order in which it is given does not matter"


@given(array=arrays_of.arrays(st.sampled_from(sorted(SAFETENSORS_TYPES)), arrays_of.array_shapes(min_dims=0, min_side=0)))
def test_every_type_and_shape_comes_back(array, tmp_path_factory):
    path = write_container(tmp_path_factory.mktemp("any") / "x", KIND, {"odd": np.zeros(1, np.uint8), "x": array}, {})
    found = read_container(path, KIND).arrays["x"]
    assert found.dtype == array.dtype and found.shape == array.shape and found.tobytes() == array.tobytes()


def refused(path, sentence: str, hint: str) -> None:
    with pytest.raises(SapiensError, match=sentence) as caught:
        read_container(path, KIND)
    assert caught.value.hint == hint and "\n" not in str(caught.value)


def test_other_files_are_explained(tmp_path):
    path = tmp_path / "x"
    for metadata, sentence, hint in (
        ({"format": "sapiens2-other"}, "x is a sapiens2-other file, not a test", KIND.other),
        ({"format": "f" * 999}, f"x is a {'f' * 40} file, not a test", KIND.other),
        ({}, "x does not hold a test", KIND.other),
        ({"format": KIND.name, "version": "4"}, "x was written by a newer version .format 4", "Update Sapiens2 Avatar."),
        ({"format": KIND.name, "version": "10.1"}, "newer version .format 10.1", "Update Sapiens2 Avatar."),
    ):
        save_file({"a": np.zeros(3)}, path, metadata)
        refused(path, sentence, hint)
    refused(tmp_path / "none", "none does not exist", "Check the name.")
    refused(tmp_path, "is a folder, not a file of a test", "Choose a file in it.")


def test_a_cut_file_is_explained_wherever_it_was_cut(tmp_path):
    whole = write_container(tmp_path / "x", KIND, ARRAYS, {}).read_bytes()
    for size in (0, 5, 8, 60, len(whole) // 2, len(whole) - 1):
        (tmp_path / "x").write_bytes(whole[:size])
        refused(tmp_path / "x", "x is cut off, damaged or no file of ", KIND.again)


def test_older_files_are_read(tmp_path):
    for version in ({}, {"version": "1"}, {"version": "3.7"}, {"version": "made by hand"}):
        save_file({"a": np.arange(3)}, tmp_path / "x", {"format": KIND.name, **version})
        assert read_container(tmp_path / "x", KIND).arrays["a"].tolist() == [0, 1, 2]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = write_container(tmp_path / "x", KIND, {"a": np.zeros(3)}, {})
    before = path.read_bytes()
    with pytest.raises(KeyError):
        write_container(path, KIND, {"a": np.zeros(3, np.complex64)}, {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    with pytest.raises(SapiensError, match="does not exist"):
        write_container(tmp_path / "no" / "x", KIND, {}, {})


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyError("names"), "x is not whole: it lacks names."),
        (ValueError("Pose.seen has shape (2,).\nMore."), "x does not fit together: Pose.seen has shape (2,)."),
        (SapiensError("The image has no pixels.", "A hint of its own."), "x does not fit together: The image has no pixels."),
        (IndexError("list index out of range"), "x does not fit together: list index out of range."),
    ],
)
def test_content_that_does_not_fit_is_the_fault_of_the_file(error, sentence):
    with pytest.raises(SapiensError) as caught, fitting("folder/x", KIND):
        raise error
    assert (caught.value.message, caught.value.hint) == (sentence, KIND.again)
    assert caught.value.__cause__ is error
