"""Pack the extension: one zip per platform in dist/, built and validated by Blender's own extension builder.

    python tools/build_extension.py                 for the platform that this runs on
    python tools/build_extension.py --all           for all platforms, and the index of a repository that Blender reads
    python tools/build_extension.py --platform windows-x64

Needs an environment with the bpy module (it contains the builder). What goes into the zip besides the package is fetched with
pip, pinned by hash in wheels/*.txt, and kept in .cache.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "wheels"
DIST = ROOT / "dist"
LIMIT_MB = 100

# Blender's name -> pip's names of the platform
PLATFORMS = {
    "linux-x64": ("manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "macos-arm64": ("macosx_11_0_arm64",),
    "windows-x64": ("win_amd64",),
}
HERE = {("Linux", "x86_64"): "linux-x64", ("Darwin", "arm64"): "macos-arm64", ("Windows", "AMD64"): "windows-x64"}


def builder() -> Path:
    """Blender's extension tool, a plain program inside the bpy module; found without importing bpy."""
    spec = find_spec("bpy")
    if spec is None or spec.origin is None:
        raise SystemExit("This Python has no bpy: run python3 tools/dev.py build.")
    for folder in Path(spec.origin).parents[:5]:
        for found in folder.glob("**/addons_core/bl_pkg/cli/blender_ext.py"):
            return found
    raise SystemExit("The bpy module has no extension builder.")


def fetch(requirements: str, name: str) -> Path:
    """The wheel of `requirements` (a file in wheels/) for a platform, downloaded once and checked by hash."""
    folder = CACHE / name
    wanted = re.search(r"^([a-z0-9-]+)==(\S+)", (ROOT / "wheels" / requirements).read_text("utf-8"), re.MULTILINE)
    assert wanted is not None, f"wheels/{requirements} pins nothing"
    pattern = f"{wanted[1]}-{wanted[2]}-*.whl"
    if not list(folder.glob(pattern)):
        tags = [tag for value in PLATFORMS[name] for tag in ("--platform", value)]
        # The interpreter that the virtual environment is based on: environments made by uv have no pip.
        python = getattr(sys, "_base_executable", sys.executable)
        subprocess.run(
            [
                python,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--python-version",
                "3.11",
                *tags,
                "--dest",
                str(folder),
                "--requirement",
                str(ROOT / "wheels" / requirements),
            ],
            check=True,
            cwd=ROOT,
        )
    return next(folder.glob(pattern))


def stage(name: str) -> Path:
    """A folder with exactly what the zip of one platform holds."""
    target = ROOT / "build" / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    for package in setuptools["packages"]:
        folder = package.replace(".", "/").removeprefix("sapiens2_avatar").lstrip("/")
        patterns = ["*.py", *setuptools["package-data"].get(package, [])]
        for path in sorted(path for pattern in patterns for path in (ROOT / folder).glob(pattern)):
            place = target / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
    for path in ("LICENSE", "README.md"):
        shutil.copy2(ROOT / path, target / path)
    (target / "docs").mkdir()
    for path in sorted((ROOT / "docs").glob("*.md")):  # what Online Manual opens, without the pictures
        shutil.copy2(path, target / "docs" / path.name)
    _add_uv(target / "runtime", name)
    wheel = fetch("safetensors.txt", name)
    (target / "wheels").mkdir()
    shutil.copy2(wheel, target / "wheels" / wheel.name)
    manifest = (ROOT / "blender_manifest.toml").read_text("utf-8")
    manifest = re.sub(r"^platforms = \[.*?\]", f'platforms = ["{name}"]', manifest, flags=re.MULTILINE | re.DOTALL)
    manifest = re.sub(r"^wheels = \[.*?\]", f'wheels = ["./wheels/{wheel.name}"]', manifest, flags=re.MULTILINE | re.DOTALL)
    (target / "blender_manifest.toml").write_text(manifest, "utf-8")
    return target


def _add_uv(folder: Path, name: str) -> None:
    """uv's program out of its wheel, as a plain file; the extension copies it to the user's folder before it runs."""
    with zipfile.ZipFile(fetch("uv.txt", name)) as wheel:
        member = next(m for m in wheel.namelist() if re.search(r"\.data/scripts/uv(\.exe)?$", m))
        (folder / Path(member).name).write_bytes(wheel.read(member))


def build(name: str) -> Path:
    """The validated zip of one platform."""
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))["version"]
    DIST.mkdir(exist_ok=True)
    path = DIST / f"sapiens2_avatar-{version}-{name.replace('-', '_')}.zip"
    path.unlink(missing_ok=True)
    tool = [sys.executable, str(builder())]
    subprocess.run(
        [*tool, "build", "--source-dir", str(stage(name)), "--output-filepath", str(path), "--valid-tags="],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run([*tool, "validate", str(path), "--valid-tags="], check=True, stdout=subprocess.DEVNULL)
    megabytes = path.stat().st_size / 1e6
    if megabytes > LIMIT_MB:
        raise SystemExit(f"{path.name} has {megabytes:.1f} MB, the limit is {LIMIT_MB} MB.")
    print(f"{path.relative_to(ROOT)}  {megabytes:.1f} MB")
    return path


def make_index(folder: Path) -> None:
    """Make the folder a static repository: index.json for Blender, index.html to drag from."""
    command = [sys.executable, str(builder()), "server-generate", "--repo-dir", str(folder), "--html"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every platform, and the repository's index")
    parser.add_argument("--platform", choices=PLATFORMS, action="append")
    options = parser.parse_args()
    here = HERE.get((platform.system(), platform.machine()))
    names = list(PLATFORMS) if options.all else options.platform or ([here] if here else [])
    if not names:
        raise SystemExit("The extension is not made for this platform; name another with --platform.")
    for name in names:
        build(name)
    if options.all:
        make_index(DIST)
        print(f"{(DIST / 'index.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
