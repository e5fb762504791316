"""Which Python this is, and which packages it lacks: ``python interpreter_check.py MODULE...``.

Prints a line of JSON: [[major, minor], [the modules that it has not]]. Nothing is imported, so it takes a moment only. Any Python
has to understand this file, however old: no annotations, no f-strings, ASCII only.
"""

import json
import pkgutil
import sys


def missing_modules(wanted):
    """Those of the module names that cannot be found; this file's own folder, first on the path of a program, does not count."""
    known = set(module[1] for module in pkgutil.iter_modules(sys.path[1:]))  # noqa: C401 (Python 2)
    return [name for name in wanted if name not in known]


if __name__ == "__main__":
    sys.stdout.write(json.dumps([list(sys.version_info[:2]), missing_modules(sys.argv[1:])]) + "\n")
