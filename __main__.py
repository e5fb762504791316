"""``python -m sapiens2_avatar`` and the console script ``sapiens2-avatar``."""

import sys


def main() -> int:
    from sapiens2_avatar.commands.cli import main as run

    code = run(sys.argv[1:])
    if "bpy" in sys.modules:
        from sapiens2_avatar.core.common.processes import leave

        leave(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
