"""The worker, started by Blender in the Python that has torch: ``python -I -u worker/start.py [idle seconds]``."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "load_package.py"))

if __name__ == "__main__":
    from sapiens2_avatar.worker.server import main

    main()
