"""Which devices are there, in which order, and with how much memory of their own; the cards are stand-ins."""

from types import SimpleNamespace

import pytest
import torch

from sapiens2_avatar.infer import placement
from sapiens2_avatar.infer.devices import Device, available_devices


@pytest.fixture
def cards(monkeypatch):
    """Function: a library of torch gets these cards, (name, bytes) each."""

    def plug_in(library, *found):
        monkeypatch.setattr(library, "is_available", lambda: True)
        monkeypatch.setattr(library, "device_count", lambda: len(found))
        monkeypatch.setattr(
            library, "get_device_properties", lambda i: SimpleNamespace(name=found[i][0], total_memory=found[i][1])
        )

    for library in (torch.cuda, torch.xpu, torch.backends.mps):
        monkeypatch.setattr(library, "is_available", lambda: False)
    return plug_in


def test_cards_come_before_the_processor(cards):
    assert available_devices() == [Device("cpu")]
    cards(torch.xpu, ("Arc", 16 * 10**9))
    cards(torch.cuda, ("Large", 24 * 10**9), ("Small", 8 * 10**9))
    assert [str(device) for device in available_devices()] == [
        "cuda:0 (Large, 24 GB)", "cuda:1 (Small, 8 GB)", "xpu:0 (Arc, 16 GB)", "cpu",
    ]  # fmt: skip


@pytest.mark.parametrize("library", ["cuda", "xpu"])
def test_automatic_is_the_first_of_them(cards, monkeypatch, library):
    asked = []
    monkeypatch.setattr(placement.torch, "empty", lambda *_, device: asked.append(device))
    assert placement.choose_device("auto").type == "cpu"
    cards(getattr(torch, library), ("Card", 8 * 10**9))
    assert placement.choose_device("auto").type == library and asked == ["cpu", library]
