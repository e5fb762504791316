"""Started by Blender as ``python -I -u worker_main.py [idle seconds]`` in the Python environment that has torch.

The folder of the extension may have any name and is on no search path: it is loaded here under the package's own name.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

NAME = "sapiens2_avatar"


def load_package() -> None:
    folder = Path(__file__).resolve().parent
    spec = spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    load_package()
    from sapiens2_avatar.infer.worker import main

    main()
