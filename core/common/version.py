"""The version, read from the one place that states it: blender_manifest.toml."""

import tomllib
from pathlib import Path

VERSION: str = tomllib.loads((Path(__file__).parents[2] / "blender_manifest.toml").read_text("utf-8"))["version"]
