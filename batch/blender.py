"""A Blender that runs beside us and writes scenes, for a Python that has no Blender in it."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ..core.common.errors import SapiensError
from ..core.common.json_lines import decode_line, encode_line
from ..core.common.processes import clean_environment

Blender = Callable[..., dict]
"""call(step, **arguments) -> result: see `scene.batch_steps`."""
STARTER = Path(__file__).resolve().parents[1] / "scene" / "start.py"
START_LINES = 200
"""What Blender and its drivers may print before our first line."""


class BlenderDied(Exception):
    """The Blender that writes the scenes has ended in the middle of a step. Not for people: whoever owns the process decides."""


class BlenderProcess:
    """Takes the steps of `scene.batch_steps` in a Blender that starts with the first of them and ends with this process.

    command  path of the program, or a command line
    """

    def __init__(self, command: str):
        self.command = [command] if Path(command).is_file() else shlex.split(command)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, step: str, **arguments: object) -> dict:
        """One step. Raises SapiensError as the step does, and BlenderDied when Blender is gone and half a scene with it."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(encode_line({"step": step, "arguments": arguments}))
            process.stdin.flush()
            answer = decode_line(process.stdout.readline())
        except (OSError, ValueError) as error:
            raise BlenderDied(f"Blender ended in the step {step}.") from error
        if "error" in answer:
            raise SapiensError(answer["error"], answer["hint"])
        return answer["result"]

    def _start(self) -> subprocess.Popen[bytes]:
        # Blender's own Python may lack safetensors. Ours works in every version of Python, so where it lies is told,
        # to be searched last.
        spec = find_spec("safetensors")
        assert spec is not None and spec.origin is not None
        site = str(Path(spec.origin).parents[1])
        command = [*self.command, "--background", "--factory-startup", "--python", str(STARTER), "--", site]
        said = tempfile.TemporaryFile()  # noqa: SIM115 - Blender's own for as long as it runs
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=clean_environment(),
            )
        except OSError as error:
            raise SapiensError(
                f"Blender could not be started: {error.strerror}.", f"Check the command {self.command[0]}."
            ) from error
        assert process.stdout is not None
        for _ in range(START_LINES):
            line = process.stdout.readline()
            if not line:
                break
            if line.startswith(b'{"ready"'):
                return process
        process.kill()
        process.wait()
        said.seek(0)
        last = said.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        why = f" It said: {last}" if last else ""
        raise SapiensError("Blender did not start.", f"Check the command {' '.join(self.command)}.{why}")
