"""Makes the package importable where it is only a folder: the extension's may have any name, and is on no search path.

Run by the programs that are started by path (`worker/start.py`, `commands/start.py`, `scene/start.py`), before they import it.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

NAME = "sapiens2_avatar"


def load_package() -> None:
    """Put the package of this folder under its own name into `sys.modules`, unless it is there already."""
    if NAME in sys.modules:
        return
    folder = Path(__file__).resolve().parent
    spec = spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


load_package()
