"""The network: everything that needs torch, and nothing else does.

load_model(path) -> Sapiens2      one checkpoint as a torch module
predict(image, ...) -> Predictions

Nothing is imported until it is asked for, so that reading the package's tables costs no torch.
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


def __getattr__(name: str):
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__():
    return sorted([*globals(), *_PUBLIC])
