"""The command line in the Python that has torch, started by Blender, whose own lacks it:
``python -I -u commands/start.py ARGUMENT…``

The workers of a batch, its children, import this file as their parent's main module: the package is loaded for them too.
"""

import runpy
import sys
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "load_package.py"))

if __name__ == "__main__":
    from sapiens2_avatar.commands.cli import main

    sys.exit(main(sys.argv[1:]))
