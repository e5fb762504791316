"""``python -m sapiens2_avatar`` and the console script ``sapiens2-avatar``."""

import os
import sys


def main() -> int:
    from sapiens2_avatar.commands.cli import main as run

    code = run(sys.argv[1:])
    if "bpy" in sys.modules:
        # Blender's module can hang or crash in an orderly exit; everything is written by now.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
