"""What every room of the tests shares."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SAPIENS2_SHARED", ROOT.parent / "shared"))

# Blender, here and in every process that a test starts and kills, leaves its files here, and not in the folder of everybody.
# What Python of this process calls so was settled before. The workers of a run share it: sockets have short paths.
WORKER = "PYTEST_XDIST_WORKER" in os.environ
if not WORKER:
    TEMPORARY = tempfile.mkdtemp(prefix="s2-tests-", dir=tempfile.gettempdir())
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), TEMPORARY))

STATUS = pytest.StashKey[int]()
LEFT_OUT = pytest.StashKey[int]()


def pytest_configure(config):
    """A job that a shell starts in the background ignores Ctrl+C,
    and so would every program that a test starts and interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _examples_on_any_machine()


def _examples_on_any_machine() -> None:
    """Hypothesis without limits of time, which a busy machine misses;
    where a submission is judged ($CI), the same examples each time."""
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:  # the environments of the other Blenders
        return
    settings.register_profile(
        "house", deadline=None, derandomize=bool(os.environ.get("CI")), suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("house")


def pytest_collection_modifyitems(config, items):
    """Tests marked `reference` measure on data that is not in the repository: they are left out, and counted, where it is not."""
    if (SHARED / "studio").is_dir():
        return
    kept = [item for item in items if item.get_closest_marker("reference") is None]
    left_out = [item for item in items if item.get_closest_marker("reference") is not None]
    config.stash[LEFT_OUT] = len(left_out)
    if left_out:
        items[:] = kept
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter, config):
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(
            f"Left out for lack of reference data: {count} tests that repeat others on data outside the repository "
            f"(SAPIENS2_SHARED, looked in {SHARED})."
        )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout, for tests marked `reference`; all others do without it."""
    return SHARED


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    """The synthetic people of the repository (`support.samples.Samples`): studio("body_apose"), studio("body_walk.degraded") are
    the paths of predictions files, studio.truth("body_apose") what is true of the person."""
    from support.samples import Samples

    return Samples(ROOT / "tests" / "samples", tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="session", params=["samples", pytest.param("reference", marks=pytest.mark.reference)])
def every_studio(request, studio, tmp_path_factory):
    """`studio`, and once more with the larger people of the reference data where they are: for measures that take a moment."""
    from support.samples import Samples

    return studio if request.param == "samples" else Samples(SHARED / "studio", tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="session")
def run_and_measure():
    """Function: Python source, arguments -> (what it printed, its peak memory in bytes), run in a process of its own.

    The peak is VmHWM: `getrusage` also counts what the parent held when it forked, here the whole test session.
    """
    import subprocess

    if not sys.platform.startswith("linux"):
        pytest.skip("the peak of one process is read in /proc")
    peak = "\nprint('\\n' + next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"

    def call(script: str, *arguments: object) -> tuple[str, int]:
        command = [sys.executable, "-c", script + peak, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        *printed, kilobytes = done.stdout.splitlines()
        return "\n".join(printed), int(kilobytes) * 1024

    return call


@pytest.fixture(scope="session")
def real_uv() -> Path:
    """uv's program, which tools/dev.py fetches."""
    import shutil

    name = "uv.exe" if os.name == "nt" else "uv"
    found = sorted((ROOT / ".cache").glob(f"uv-*/bin/{name}")) or [Path(path) for path in [shutil.which("uv")] if path]
    if not found:
        pytest.skip("no uv: run python3 tools/dev.py setup")
    return found[-1]


@pytest.fixture(scope="session")
def make_wheel():
    """Function: folder, name, version, {path: content} -> a wheel as pip would make it, with a RECORD of its files."""
    import base64
    import hashlib
    import zipfile

    def make(folder: Path, name: str, version: str, files: dict[str, bytes]) -> Path:
        info = f"{name}-{version}.dist-info"
        files = {  # what a resolver reads comes first, so that it need not wait for the rest
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            **files,
        }
        rows = [
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
            for path, data in files.items()
        ]
        files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
        path = folder / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in files.items():
                archive.writestr(member, data)
        return path

    return make


def pytest_sessionfinish(session, exitstatus):
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Leave without an orderly exit when Blender's module is loaded: it can hang there, after every test has its result.
    No file of its own stays."""
    if not WORKER:
        shutil.rmtree(TEMPORARY, ignore_errors=True)
    if "bpy" in sys.modules and STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[STATUS])
