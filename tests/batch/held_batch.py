"""The command line, stopped where a test says: before a file of a batch gets its name, "writing NAME".

    python held_batch.py batch PHOTOS -o RESULTS …      with $SAPIENS2_TEST_POINTS, see held_worker.py

Its worker processes start with this file too, as multiprocessing has it, so that they stop as well.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.held_worker import POINTS, Points, before_replace

stops = Points(Path(os.environ[POINTS]))
before_replace(lambda target: stops.come_to(f"writing {target.name}"))

if __name__ == "__main__":
    from sapiens2_avatar.__main__ import main

    sys.exit(main())
