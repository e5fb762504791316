"""Fetching released weights from the Hugging Face Hub: asked for, resumable, and checked before they count as installed.

huggingface_hub finds the file and its hash. The bytes are fetched here, because a download of 20 GB has to go on where it stopped
even after the program ended. The Hub's own function does not do that: it starts each attempt with a new file.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.common.errors import Cancelled, SapiensError
from ..core.common.file_lock import Held, file_lock
from ..core.common.progress import Progress
from .catalogue import ModelRow, ReleasedCheckpoint, choose, find_checkpoint, models_folder, row_of
from .header import read_header
from .licence import require_acceptance
from .store import Provenance, hash_file, make_models_folder, require_space, write_provenance

PAUSES = (1, 2, 4, 8, 16)
"""Seconds before each new attempt after the connection broke without bringing anything."""
REPORT_BYTES = 1 << 20
BROKEN = (ConnectionError, TimeoutError)
"""What the system itself says of a connection that broke."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the Hub at one commit: where it is, its SHA-256 in hex and its bytes."""

    url: str
    commit: str
    sha256: str
    size: int


def download_model(
    model: str,
    tasks: tuple[str, ...] | None = None,
    online: bool = False,
    accept_licence: bool = False,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    endpoint: str | None = None,
) -> list[ModelRow]:
    """Fetch the checkpoints of a model into the models folder; those that are installed are left alone.

    model, tasks   "0.4b" and ("pose", "seg"), None = all tasks that were published
    online         that requests may leave this machine: False unless the person asked for the download
    progress       called with ("0.4b pose", share of this file)
    cancel         asked for every piece that arrives; True raises Cancelled. What was fetched is kept for the next time
    endpoint       a mirror; else $HF_ENDPOINT, else huggingface.co
    Returns the rows of what was asked for. SapiensError if offline, the licence is not accepted, the disk has no room, the
    connection is lost for good, or the file is not what the Hub or the table of checkpoints says.
    """
    checkpoints = choose(model, tasks)
    missing = [checkpoint for checkpoint in checkpoints if find_checkpoint(model, checkpoint.task) is None]
    if missing and not online:
        raise _offline(missing)
    if missing:
        require_acceptance(accept_licence)
        make_models_folder()
    for checkpoint in missing:
        label = f"{checkpoint.model} {checkpoint.task}"
        _fetch(checkpoint, endpoint, lambda done, label=label: progress(label, done) if progress else None, cancel)
    return [row_of(checkpoint, find_checkpoint(model, checkpoint.task)) for checkpoint in checkpoints]


def _offline(missing: list[ReleasedCheckpoint]) -> SapiensError:
    files = ", ".join(checkpoint.files[0] for checkpoint in missing)
    return SapiensError(
        f"This machine is set to work offline, and {files} {'is' if len(missing) == 1 else 'are'} not installed.",
        f"Allow online access, or bring the files by hand: download them on another machine from "
        f"https://huggingface.co/{missing[0].repository} and run: models import FOLDER. They go to {models_folder()}.",
    )


def _fetch(
    checkpoint: ReleasedCheckpoint, endpoint: str | None, progress: Callable[[float], None], cancel: Callable[[], bool] | None
) -> None:
    target = models_folder() / checkpoint.files[0]
    try:
        with file_lock(target.with_name(f".{target.name}.lock")):
            remote = _find_remote(checkpoint, endpoint or os.environ.get("HF_ENDPOINT") or None)
            # The name of the part holds the hash: a new version on the Hub does not continue an old one.
            part = target.with_name(f".{target.name}.{remote.sha256[:16]}.part")
            _resume(remote, part, progress, cancel)
            _check(checkpoint, remote, part)
            part.replace(target)
            write_provenance(target, Provenance(remote.sha256, remote.size, remote.commit, remote.url.split("?")[0]))
    except Held as error:
        raise SapiensError(f"{target.name} is being downloaded by another program.", "Wait for it to finish.") from error
    except OSError as error:
        raise SapiensError(
            f"{target.name} could not be written: {error.strerror or error}.", "Check the models folder."
        ) from error


def _find_remote(checkpoint: ReleasedCheckpoint, endpoint: str | None) -> RemoteFile:
    """Ask the Hub for the file's commit, hash and size, under the names that it may have there."""
    import huggingface_hub as hub

    # HTTPError is that of the HTTP library which this huggingface_hub is built on: httpx in 1.x, httpx2 in 2.x.
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    repository = checkpoint.repository
    assert repository is not None  # `choose` gives published ones only
    for name in checkpoint.files:
        url = hub.hf_hub_url(repository, name, endpoint=endpoint)
        try:
            found = hub.get_hf_file_metadata(url, timeout=TIMEOUT, endpoint=endpoint)
        except OfflineModeIsEnabled as error:
            raise _offline([checkpoint]) from error
        except EntryNotFoundError:
            continue
        except HfHubHTTPError as error:
            raise SapiensError(
                f"The Hub refuses {repository}: {_first_line(error)}",
                "Open its page in a browser; if it asks for a login, run: hf auth login.",
            ) from error
        except (HTTPError, *BROKEN) as error:
            raise SapiensError(
                f"The Hugging Face Hub cannot be reached ({_first_line(error)}).", "Check the connection, then run it again."
            ) from error
        digest = found.etag or ""
        if not (found.commit_hash and found.size and re.fullmatch("[0-9a-f]{64}", digest)):
            raise SapiensError(
                f"The server does not say the SHA-256 of {name}, so the file could not be checked.",
                "Use huggingface.co, or a mirror that passes its headers on.",
            )
        # At the commit, so that the file cannot change between two attempts.
        url = hub.hf_hub_url(repository, name, revision=found.commit_hash, endpoint=endpoint)
        return RemoteFile(url, found.commit_hash, digest, found.size)
    raise SapiensError(
        f"{repository} has no {checkpoint.files[0]}.",
        "It may have moved: look at its page and import the file by hand.",
    )


def _resume(remote: RemoteFile, part: Path, progress: Callable[[float], None], cancel: Callable[[], bool] | None) -> None:
    """Bring the part to its full size. New attempts go on as long as each one brings something."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    failures = 0
    while True:
        had = part.stat().st_size if part.exists() else 0
        if had > remote.size:
            part.unlink()
            had = 0
        if had == remote.size:
            progress(1.0)
            return
        require_space(part.parent, remote.size - had)
        problem = "the connection was closed early"
        try:
            _stream(remote, part, had, progress, cancel)
        except HfHubHTTPError as error:
            if error.response.status_code < 500 and error.response.status_code != 429:
                raise SapiensError(f"The Hub refuses the file: {_first_line(error)}", "Run it again later.") from error
            problem = _first_line(error)
        except (HTTPError, *BROKEN) as error:
            problem = _first_line(error)
        now = part.stat().st_size if part.exists() else 0
        if now >= remote.size:
            continue
        failures = 0 if now > had else failures + 1
        if failures > len(PAUSES):
            raise SapiensError(
                f"The download stopped at {now / remote.size:.0%} ({problem}).",
                "Run it again: it goes on where it stopped.",
            )
        _wait(PAUSES[max(failures - 1, 0)], cancel)


def _stream(
    remote: RemoteFile, part: Path, had: int, progress: Callable[[float], None], cancel: Callable[[], bool] | None
) -> None:
    """One connection: append to the part what comes after its first `had` bytes."""
    import huggingface_hub as hub
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity", **({"Range": f"bytes={had}-"} if had else {})}
    with hub.get_session().stream("GET", remote.url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as answer:
        if answer.status_code == 416:
            part.unlink(missing_ok=True)
            raise SapiensError("The server has less of the file than it announced.", "Run it again later.")
        hf_raise_for_status(answer)
        continues = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {had}-")
        with part.open("ab" if continues else "wb") as file:
            done = told = had if continues else 0
            # In the pieces in which they arrive: what came before a break is kept.
            for piece in answer.iter_bytes():
                file.write(piece[: remote.size - done])
                done = min(done + len(piece), remote.size)
                if cancel is not None and cancel():
                    raise Cancelled
                if done - told >= REPORT_BYTES or done == remote.size:
                    told = done
                    progress(done / remote.size)
                if done == remote.size:
                    return


def _check(checkpoint: ReleasedCheckpoint, remote: RemoteFile, part: Path) -> None:
    """SapiensError, and the part is gone, unless it has the Hub's hash and is the network of the table."""
    if hash_file(part) != remote.sha256:
        part.unlink()
        raise SapiensError(
            f"{checkpoint.files[0]} arrived damaged: its SHA-256 is not the one that the Hub gives.", "Download it again."
        )
    if not checkpoint.describes(read_header(part)):
        part.unlink()
        raise SapiensError(
            f"The Hub's {checkpoint.files[0]} is not the {checkpoint.task} file of {checkpoint.model} as this version knows it.",
            "Look for a newer version of Sapiens2 Avatar.",
        )


def _wait(seconds: float, cancel: Callable[[], bool] | None) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if cancel is not None and cancel():
            raise Cancelled
        time.sleep(0.05)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
