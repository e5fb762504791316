"""A command that does not outlive its parent: ``python -I guarded.py COMMAND...`` with a pipe as standard input.

The command ends as soon as the other end of the pipe closes: because the parent closes it, or because the parent is gone. The
exit status is that of the command, 1 where a signal ended it.
"""

import os
import subprocess
import sys
import threading
from typing import NoReturn


def run(command: list[str]) -> NoReturn:
    """Run the command, end it when standard input ends, and leave with its status."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end_with_input() -> None:
        while os.read(0, 1):
            continue
        process.kill()

    threading.Thread(target=end_with_input, daemon=True).start()
    status = process.wait()
    os._exit(status if 0 <= status < 256 else 1)  # at once: the thread still reads


if __name__ == "__main__":
    run(sys.argv[1:])
