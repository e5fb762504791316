"""Started by Blender in the Python environment that has torch:

    python -I -u worker_main.py [idle seconds]            the worker
    python -I -u worker_main.py command ARGUMENT…         the command line
    blender … --python worker_main.py -- scene FOLDER     a Blender that writes scenes for a batch; FOLDER has safetensors

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


if NAME not in sys.modules:  # also in the children of the command line, which import this file as their parent's main module
    load_package()

if __name__ == "__main__":
    if sys.argv[-3:-1] == ["--", "scene"]:
        sys.path.append(sys.argv[-1])
        from sapiens2_avatar.scene.batch_steps import serve

        serve()
        sys.exit()
    if sys.argv[1:2] == ["command"]:
        from sapiens2_avatar.cli import main as command

        sys.exit(command(sys.argv[2:]))
    from sapiens2_avatar.worker.server import main

    main()
