"""``python -m sapiens2_avatar`` and the console script ``sapiens2-avatar``."""

import sys


def main() -> int:
    from sapiens2_avatar.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
