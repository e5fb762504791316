"""uv, the program that makes the worker's environment: where it is, how it runs, and what its failures mean."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.common.errors import Cancelled, SapiensError
from ..core.common.processes import clean_environment

SOURCE = Path(__file__).parent
GRACE_SECONDS = 5.0
POLL_SECONDS = 0.1
GUARDED = SOURCE / "programs" / "guarded.py"


@dataclass(frozen=True)
class Step:
    """One command of the installation: what the artist reads, its share of the whole, arguments, the next step on failure."""

    title: str
    share: float
    command: tuple[str, ...]
    hint: str = "Install again; if it fails again, copy the report and file a bug."


def uv_program(folder: Path) -> Path:
    """uv, copied out of the extension into `folder`. Raises SapiensError where the extension was packed without it."""
    name = "uv.exe" if os.name == "nt" else "uv"
    target, source = folder / "bin" / name, SOURCE / name
    if not source.is_file():
        found = shutil.which("uv")
        if found is None:
            raise SapiensError(
                "This copy of the extension has no uv, which makes the runtime.",
                "Install the extension from its zip, or choose a Python in the preferences.",
                "preferences",
            )
        return Path(found)
    if not target.is_file() or target.stat().st_size != source.stat().st_size:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".part")
        shutil.copyfile(source, temporary)
        temporary.chmod(0o755)
        temporary.replace(target)
    return target


def run_step(step: Step, folder: Path, log: Path, progress: Callable[[str, float], None], stopped: Callable[[], bool]) -> str:
    """Run one step and return what it said, which also goes to the end of `log`.

    folder    of the runtime; uv's cache is in it
    progress  called with the title or, while something is downloaded, how much of it, and the share of this step that is done
    Raises Cancelled within a second after `stopped()` says so, SapiensError when the step fails. Packages are hard links into the
    cache where the disk can do that, so that they take their space once.
    """
    environment = clean_environment() | {
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    status, said = _run(step, log, environment, progress, stopped)
    if status and re.search(CERTIFICATE, said):
        # A company's proxy has a certificate that the system may know, but not uv.
        status, said = _run(step, log, environment | {"UV_SYSTEM_CERTS": "1"}, progress, stopped)
    if status:
        raise explain(step, said)
    return said


def _run(
    step: Step,
    log: Path,
    environment: dict[str, str],
    progress: Callable[[str, float], None],
    stopped: Callable[[], bool],
) -> tuple[int, str]:
    """Exit status and output of one attempt at a step."""
    with log.open("ab") as output:
        begin = output.tell()
        try:
            process = subprocess.Popen(
                (sys.executable, "-I", str(GUARDED), *step.command),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise SapiensError(f"{step.title} could not start: {error}.", step.hint) from error
        try:
            while True:
                try:
                    status = process.wait(POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    if stopped():
                        raise Cancelled from None
                    text, share = downloaded(_from(log, begin))
                    # Short: it is drawn into a bar, and the time that is left comes after it.
                    progress(step.title.removeprefix("Downloading ") + text if text else step.title, share)
        finally:
            _end(process)
    return status, _from(log, begin)


def downloaded(said: str) -> tuple[str, float]:
    """How far uv is: text like " 1.2 of 2.9 GB" (empty while it has not said), and the share in [0, 1).

    said  its output so far: it announces each large package with its size, and says when one is there
    """
    sizes = {
        name: float(number) * {"K": 1 / 1024, "M": 1.0, "G": 1024.0}[unit]
        for name, number, unit in re.findall(r"^Downloading (\S+) \(([\d.]+)([KMG])iB\)", said, re.MULTILINE)
    }
    total = sum(sizes.values())
    if total <= 0:
        return "", 0.0
    done = sum(sizes.get(name, 0.0) for name in re.findall(r"^ Downloaded (\S+)", said, re.MULTILINE))
    gigabytes = 2**20 / 1e9
    return f" {done * gigabytes:.1f} of {total * gigabytes:.1f} GB", min(done / total, 0.99)


def explain(step: Step, said: str) -> SapiensError:
    """The sentence for a step that failed, from what it said."""
    for pattern, message, hint, remedy in FAILURES:
        if found := re.search(pattern, said):
            return SapiensError(message.format(*found.groups(), title=step.title), hint, remedy)
    return SapiensError(f"{step.title} failed: {last_words(said)}.", step.hint, "runtime")


# What is found in the output -> message, hint, remedy. The first that fits counts. These are words of uv for people, which no
# version promises to keep: they hold for the uv that the extension brings (UV_VERSION in tools/dev.py); tests make it fail so.
CERTIFICATE = r"UnknownIssuer|invalid peer certificate|certificate verify failed"
AGAIN = "then install again: it goes on where it stopped."
FAILURES: Sequence[tuple[str, str, str, str]] = (
    (
        r"No space left on device|os error 28\b|os error 112\b|not enough space",
        "The disk is full.",
        f"Free some space or choose another folder for the runtime in the preferences, {AGAIN}",
        "preferences",
    ),
    (
        r"Read-only file system|Permission denied|Access is denied",
        "The folder of the runtime cannot be written.",
        "Choose another folder for the runtime in the preferences, then install again.",
        "preferences",
    ),
    (
        r"proxy authorization required|407 Proxy",
        "The proxy of this connection asks for a name and a password.",
        f"Put them into the variable HTTPS_PROXY (http://name:password@host:port), start Blender anew, {AGAIN}",
        "runtime",
    ),
    (
        r"(?:tunnel error|proxy)[^\n]*",
        "The proxy of this connection refuses the connection.",
        f"Check the variable HTTPS_PROXY and the proxy of the system, {AGAIN}",
        "runtime",
    ),
    (
        r"https?://([^/\s]+)[^\n]*(?:\n[^\n]+)*?(?:dns error|failed to lookup|No such host)",
        "{0} cannot be found: there is no connection to the internet.",
        f"Connect this computer, or install from a folder with the files, {AGAIN}",
        "runtime",
    ),
    (
        CERTIFICATE,
        "The certificate of this connection is not known to this computer.",
        "Set the variable SSL_CERT_FILE to the certificates of your company, start Blender anew, then install again.",
        "runtime",
    ),
    (
        r"Hash mismatch for `([^`]+)`",
        "{0} arrived damaged: it is not the file that this version was tested with.",
        "Install again; if it happens again, your connection changes what it passes on.",
        "runtime",
    ),
    (
        r"returned a (40[137]) (\w+)",
        "The server of the packages refuses the request ({0} {1}).",
        "Check the connection with whoever runs it, or install from a folder with the files.",
        "runtime",
    ),
    (
        r"Because (?:only )?(\S+?)(?:==\S+)? (?:has no wheels with a matching|was not found|is available|needs to be downloaded)",
        "There is no file of {0} that fits this computer where it was looked for.",
        "Check the folder with the files: it needs those for this system and this version of Python.",
        "runtime",
    ),
    (
        r"no version of ([A-Za-z0-9_.-]+?)(?:==|[<>~ ])",
        "There is no file of {0} that fits this computer where it was looked for.",
        "Check the folder with the files: it needs those for this system and this version of Python.",
        "runtime",
    ),
    (
        r"(?:error sending request|Failed to fetch|operation timed out|connection closed|Connection re)[^\n]*",
        "The connection to the internet broke.",
        f"Check it, {AGAIN}",
        "runtime",
    ),
)


def last_words(said: str) -> str:
    """The last line that says something, short enough for a panel."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rstrip(".")[:160] if lines else "it said nothing"


def _from(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", "replace")


def _end(process: subprocess.Popen) -> None:
    """The guard ends its command when its input closes; if not in time, it is ended itself."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
