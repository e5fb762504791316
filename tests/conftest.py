"""What every room of the tests shares."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SAPIENS2_SHARED", ROOT.parent / "shared"))

STATUS = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of synthetic people and reference outputs; tests that measure against them are skipped without it."""
    if not (SHARED / "studio").is_dir():
        pytest.skip(f"no reference data: set SAPIENS2_SHARED (looked in {SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def studio(shared, tmp_path_factory):
    """Function: sample name ("body_apose", "body_walk.degraded") -> path of its unpacked predictions file."""
    import gzip

    folder = tmp_path_factory.mktemp("studio")

    def unpack(name: str) -> Path:
        path = folder / f"{name.replace('/', '_')}.safetensors"
        if not path.exists():
            path.write_bytes(gzip.decompress((shared / "studio" / f"{name}.safetensors.gz").read_bytes()))
        return path

    return unpack


def pytest_sessionfinish(session, exitstatus):
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Leave without an orderly exit when Blender's module is loaded: it can hang there, after every test has its result."""
    if "bpy" in sys.modules and STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[STATUS])
