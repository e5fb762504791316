"""The worker processes of a batch end with their temporary files."""

import tempfile
from pathlib import Path

from sapiens2_avatar.batch.engine import CallProcess, end_workers


def test_workers_that_are_killed_leave_no_temporary_files():
    for _ in range(2):  # the next batch of the same process has a folder of its own
        workers = [CallProcess(), CallProcess(threads=1)]
        folders = [Path(worker.submit(tempfile.mkdtemp, "", "blender_").result(60)) for worker in workers]
        assert all(folder.is_dir() for folder in folders) and Path(tempfile.gettempdir()) != folders[0].parent
        end_workers()
        assert not any(folder.exists() or folder.parent.exists() for folder in folders)
