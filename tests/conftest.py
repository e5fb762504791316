"""What every room of the tests shares."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SAPIENS2_SHARED", ROOT.parent / "shared"))


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
