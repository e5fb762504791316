"""The network: everything that needs torch, and nothing else does.

    predict     a photo, or a group of them, to `core.common.predictions.Predictions`; clip: a video to everybody's poses
    regions     through which windows to look; looks: the heads' maps of each, put together; focal: the lens they agree on
    processing  photo to input; decode: raw outputs to maps; guided: coarse maps along the photo's edges
    network     checkpoints, device, precision, memory; devices: what there is
    worker      the process that Blender starts; jobs: what it can be asked
    model       Sapiens2 itself

`load_model(path)` and the other names of `model` are here too. Nothing is imported until it is asked for, so that reading the
package's tables costs no torch.
"""

_PUBLIC = {
    "load_model": "model.loading",
    "save_model": "model.loading",
    "Sapiens2": "model.sapiens",
    "Sapiens2Config": "model.config",
    "BackboneConfig": "model.config",
    "HeadConfig": "model.config",
    "released_config": "model.config",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
