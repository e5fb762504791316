"""What Blender and its worker process say to each other (`core.common.json_lines`).

To the worker     run {id, job, arguments} · cancel {id} · quit
From the worker   ready {pid, python} · progress {id, stage, fraction} · and, exactly once per job,
                  done {id, result} or error {id, message, hint, remedy, detail} or cancelled {id}
"""

from __future__ import annotations

from ..core.common.errors import SapiensError
from ..core.common.json_lines import decode_line, encode_line

REQUIRED = {
    "run": {"id", "job", "arguments"},
    "cancel": {"id"},
    "quit": set(),
    "ready": {"pid", "python"},
    "progress": {"id", "stage", "fraction"},
    "done": {"id", "result"},
    "error": {"id", "message", "hint", "remedy", "detail"},
    "cancelled": {"id"},
}
ENDS = {"done", "error", "cancelled"}


def encode(kind: str, **values: object) -> bytes:
    """One line. Raises KeyError for an unknown kind and ValueError where a value is missing: both are our own mistakes."""
    missing = REQUIRED[kind] - values.keys()
    if missing:
        raise ValueError(f"A {kind} message needs {', '.join(sorted(missing))}.")
    return encode_line({"kind": kind, **values})


def decode(line: bytes) -> dict:
    """The message of one line, with its kind under "kind". Raises SapiensError for anything else."""
    try:
        message = decode_line(line)
    except ValueError as error:
        raise SapiensError("The worker said something that is no message.", "Look into the log, then run again.") from error
    kind = message.get("kind")
    if kind not in REQUIRED or not REQUIRED[kind] <= message.keys():
        raise SapiensError("The worker sent an incomplete message.", "Look into the log, then run again.")
    return message
