"""Everything that a developer types: set up, demo, test. Needs Python 3.11 or newer with pip, and nothing else.

    python3 tools/dev.py demo      set up .venv, then make demo.blend, demo.glb and demo.png
    python3 tools/dev.py test      set up every environment, then check style, types, tests and the packaged extension
    python3 tools/dev.py setup     set up .venv only
    python3 tools/dev.py lint      style, spelling and types
    python3 tools/dev.py tool …    one program of the environment that lint uses: tool ruff check --fix .
    python3 tools/dev.py build     the extension zip
    python3 tools/dev.py lock      resolve the requirements again

Set-up is skipped while the lock files are unchanged, so that a second run needs no network.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
# The extension brings this one. runtime/uv.py reads what it says (twelve patterns): run tests/runtime after a change.
UV_VERSION = "0.13.9"
WINDOWS = os.name == "nt"
BIN = "Scripts" if WINDOWS else "bin"

# environment -> (folder, Python, lock file)
ENVIRONMENTS = {
    "main": (".venv", "3.11", "main.lock"),
    "lint": (".envs/lint", "3.11", "lint.lock"),
    "blender-4.2": (".envs/bl42", "3.11", "blender-4.2.lock"),
    "blender-5.0": (".envs/bl50", "3.11", "blender-5.0.lock"),
    "blender-5.2": (".envs/bl52", "3.13", "blender-5.2.lock"),
}
SOURCES = {
    "main": ["pyproject.toml", *(f"--extra={extra}" for extra in ("predict", "blender", "video", "ray", "test"))],
    **{name: [f"requirements/{name}.in"] for name in ENVIRONMENTS if name != "main"},
}
# A process for each core, up to four: some tests need 6 GB. Who is idle takes tests from who is not.
CORES = os.cpu_count() or 1
PROCESSES = min(CORES, 4)
PYTEST = ("-m", "pytest", f"--numprocesses={PROCESSES}", "--dist=worksteal")
# They share the cores. Threads beyond those wait for each other, and the network takes twice the time.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(CORES // PROCESSES))
# How uv resolves a lock file: the same for every machine.
RESOLVE = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--generate-hashes", "--universal", "--no-config")
# Shared libraries that the bpy wheel loads and that a bare server lacks -> Debian package.
SYSTEM_LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXi.so.6": "libxi6",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libXfixes.so.3": "libxfixes3",
    "libXrender.so.1": "libxrender1",
    "libXext.so.6": "libxext6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libgomp.so.1": "libgomp1",
}


def say(text: str) -> None:
    print(f"── {text}", file=sys.stderr, flush=True)


def run(*command: str | Path, **options) -> None:
    """Run a command in the repository root; leave with its status if it fails."""
    code = subprocess.run([str(c) for c in command], cwd=ROOT, **options).returncode
    if code:
        raise SystemExit(code)


def uv() -> Path:
    """uv, from a PyPI wheel in .cache: it needs no compiler, no venv module and no rights."""
    folder = ROOT / ".cache" / f"uv-{UV_VERSION}"
    program = folder / "bin" / ("uv.exe" if WINDOWS else "uv")
    if not program.exists():
        say(f"fetching uv {UV_VERSION}")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore")
        run(*pip, "--no-deps", "--target", folder, f"uv=={UV_VERSION}")
    return program


def find_python(version: str) -> str | None:
    """An interpreter of this minor version: this one, one on the PATH, pyenv's, or one that uv can fetch; else None."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True)]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", "import venv"], capture_output=True).returncode == 0:
            return candidate
    if subprocess.run([str(uv()), "python", "install", "--quiet", version], capture_output=True).returncode == 0:
        return version
    return None


def python_of(name: str) -> Path:
    return ROOT / ENVIRONMENTS[name][0] / BIN / ("python.exe" if WINDOWS else "python")


def ensure(name: str) -> bool:
    """Make the environment as its lock says, unless it is so already. False: there is no such Python here."""
    folder, version, lock = ENVIRONMENTS[name]
    stamp = ROOT / folder / "lock.sha256"
    wanted = hashlib.sha256((LOCKS / lock).read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and python_of(name).exists():
        return True
    python = find_python(version)
    if python is None:
        return False
    say(f"setting up {folder} (Python {version})")
    run(uv(), "venv", "--quiet", "--clear", "--python", python, folder)
    run(uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", python_of(name), LOCKS / lock)
    if name == "main":
        install = (uv(), "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
        run(*install, "--python", python_of(name), "--editable", ".")
    stamp.write_text(wanted)
    return True


def ensure_system_libraries() -> None:
    """On a bare Debian, install what the bpy wheel loads; elsewhere name what is missing."""
    if not sys.platform.startswith("linux"):
        return

    def missing(library: str) -> bool:
        try:
            ctypes.CDLL(library)
        except OSError:
            return True
        return False

    packages = sorted({package for library, package in SYSTEM_LIBRARIES.items() if missing(library)})
    if not packages:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing the libraries that Blender needs: " + " ".join(packages))
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        run("apt-get", "update", **quiet)
        run(*command, **quiet)
    else:
        raise SystemExit(f"Blender's Python module needs libraries that are missing here. Run: sudo {' '.join(command)}")


def setup() -> None:
    ensure_system_libraries()
    if not ensure("main"):
        raise SystemExit("Python 3.11 is needed and could not be found or downloaded.")


def tool(arguments: list[str]) -> None:
    """Run a program of the lint environment, whose versions requirements/lint.lock pins for everybody."""
    ensure("lint")
    if not arguments:
        raise SystemExit("Which one? ruff, codespell, basedpyright or pre-commit.")
    run(python_of("lint").parent / arguments[0], *arguments[1:])


def lint() -> None:
    tool(["ruff", "check", "."])
    tool(["ruff", "format", "--check", "."])
    tool(["codespell"])
    tool(["basedpyright", "--level", "error"])


def build() -> Path:
    """The extension zip of this platform, built and validated by Blender's own builder."""
    setup()
    run(python_of("main"), "tools/build_extension.py")
    return max((ROOT / "dist").glob("*.zip"), key=lambda p: p.stat().st_mtime)


def test(arguments: list[str]) -> None:
    """Style, types, the tests, and the packaged extension on every Blender."""
    setup()
    lint()
    env = {**os.environ, **THREADS, "EXT_ZIP": str(build())}
    # Blender's module and torch's tests in processes of their own, as they are in use.
    run(python_of("main"), *PYTEST, "--ignore=tests/blender", "--ignore=tests/gui", *arguments, env=env)
    run(python_of("main"), *PYTEST, "tests/blender", *arguments, env=env)
    run(python_of("main"), *PYTEST, "tests/gui", *arguments, env=env | window())
    for name in ("blender-4.2", "blender-5.0", "blender-5.2"):
        if not ensure(name):
            say(f"SKIPPED {name}: no Python {ENVIRONMENTS[name][1]} on this machine, and none could be downloaded")
            continue
        say(f"the packaged extension on {name}")
        run(python_of(name), *PYTEST, "tests/blender", "-m", "not one_blender", *arguments, env=env)


def window() -> dict[str, str]:
    """Environment variables for the tests that need Blender's window: the command that starts one, or why there is none."""
    if os.environ.get("SAPIENS2_BLENDER"):
        return {}
    script, folder = ROOT / "tests" / "gui" / "install_blender.sh", ROOT / ".cache" / "blender-window"
    if not sys.platform.startswith("linux") or shutil.which("apt-get") is None:
        reason = "it is installed on Debian only: set SAPIENS2_BLENDER"
    elif os.geteuid() != 0:
        reason = f"only root can install it: sudo {script.relative_to(ROOT)} FOLDER, then set SAPIENS2_BLENDER"
    else:
        say("a Blender with a window")
        try:
            made = subprocess.run([script, folder], cwd=ROOT, capture_output=True, text=True, timeout=900)
            starts = [script, "run", folder, "--version"]
            if made.returncode == 0 and subprocess.run(starts, cwd=ROOT, capture_output=True).returncode == 0:
                return {"SAPIENS2_BLENDER": f"{script} run {folder}"}
            reason = (made.stderr.strip().splitlines() or [f"see {folder}.log"])[-1]
        except subprocess.TimeoutExpired:
            reason = "the installation took more than 15 minutes"
    say(f"SKIPPED the window tests: no Blender with a window, {reason}")
    return {"SAPIENS2_NO_BLENDER": f"no Blender with a window: {reason}"}


def demo(arguments: list[str]) -> None:
    setup()
    run(python_of("main"), "-m", "sapiens2_avatar", "demo", *arguments)


def lock() -> None:
    for name, (_, version, file) in ENVIRONMENTS.items():
        say(f"resolving {file}")
        run(uv(), "pip", "compile", *RESOLVE, "--python-version", version, "--output-file", LOCKS / file, *SOURCES[name])


COMMANDS = {"setup": setup, "demo": demo, "test": test, "lint": lint, "tool": tool, "build": build, "lock": lock}
TAKE_ARGUMENTS = ("demo", "test", "tool")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    chosen, rest = parser.parse_known_args()
    if rest and chosen.command not in TAKE_ARGUMENTS:
        parser.error(f"{chosen.command} takes no arguments: {' '.join(rest)}")
    os.environ.setdefault("UV_NO_PROGRESS", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of some hundred processes compiles torch and the tests anew
    COMMANDS[chosen.command](*([rest] if chosen.command in TAKE_ARGUMENTS else []))
