"""A Blender that writes scenes for a batch: ``blender --background --python scene/start.py -- FOLDER``.

FOLDER is where safetensors lies.
"""

import runpy
import sys
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "load_package.py"))

if __name__ == "__main__":
    sys.path.append(sys.argv[-1])  # last: where Blender's own Python has a library, that one is right for it
    from sapiens2_avatar.scene.batch_steps import serve

    serve()
    sys.exit()
