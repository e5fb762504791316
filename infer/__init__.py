"""Prediction: torch is imported here and nowhere else, and only where a Sapiens2 network runs.

    predict            a photo, or a group of them, to `core.common.predictions.Predictions`
    network_predict    the same by a Sapiens2 network
    clip               a video to everybody's poses
    kept_frames        predictions of its frames, found again by content
    tasks              a row for each thing that Sapiens2 predicts
    windows            through which parts of the photo it is seen
    dense_passes       what the dense heads say about each of them
    region_maps        that put together in the photo's pixels
    focal              the lens that they agree on
    preprocess         photo to input
    postprocess        raw outputs to maps
    guided_upsampling  coarse maps along the photo's edges
    session            passes through networks
    draft              the same at half the resolution
    settings           how the network is asked to look
    checkpoints        the weights files of a model
    model_cache        networks in memory
    read_ahead         the next of them, read while one runs
    progress_meter     how far the work is
    placement          device and precision
    devices            what networks can run on here
    model              Sapiens2 itself

`load_model(path)` and the other names of `model` are here too. Nothing is imported until it is asked for: the package itself, and
the sizes of networks in `model.config`, cost no torch.
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
