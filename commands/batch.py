"""`batch FOLDER|LIST|PATTERN -o DIR`: many inputs, each with a result or a reason."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.capture.settings import ClipSettings
from ..core.common.errors import SapiensError, UsageError
from ..core.common.file_lock import Held, file_lock
from ..core.formats.export_formats import SUFFIXES
from . import arguments
from .console import Console
from .options import (
    add_build,
    add_clip,
    add_network,
    add_separate,
    avatar_settings,
    check_avatar_is_made,
    check_known_person,
    check_one_person,
    check_scan_is_made,
    settings_from,
)

if TYPE_CHECKING:
    from ..batch import record as records
    from ..batch.engine import Outcome
    from ..batch.items import Item
    from ..batch.plan import Plan
    from ..batch.stages import InputJob

HELP = "Many inputs: a folder, a list in a text file, or a pattern. Start it again to go on where it stopped."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="FOLDER|LIST|PATTERN")
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="a folder of results for each input, and reports over all"
    )
    parser.add_argument(
        "--export", action="append", default=[], metavar="glb|fbx|usdc|bvh|…", help="also write this format; repeatable"
    )
    parser.add_argument("--no-blend", dest="blend", action="store_false", help="no .blend file of each result")
    parser.add_argument("--no-picture", dest="picture", action="store_false", help="no preview picture of each result")
    parser.add_argument("--library", metavar="FILE.blend", help="also gather all results in one file, on a grid, as assets")
    add_clip(parser)
    add_separate(parser)
    parser.add_argument(
        "--people",
        type=arguments.number(0, kind=int),
        default=0,
        metavar="N",
        help="keep the N largest people of a photo (default: all)",
    )
    parser.add_argument(
        "--one-person",
        action="store_true",
        help="each folder in FOLDER, or in the list, holds photos of one person: one avatar of all of them",
    )
    parser.add_argument(
        "--name", default="{stem}", metavar="PATTERN", help="of the results: {stem}, {parent}, {index}, {sha8} (default: {stem})"
    )
    parser.add_argument(
        "--jobs",
        type=arguments.number(1, kind=int),
        default=max(1, (os.cpu_count() or 2) - 1),
        metavar="N",
        help="processes beside the network's",
    )
    parser.add_argument(
        "--group",
        type=arguments.number(1, kind=int),
        default=8,
        metavar="N",
        help="photos per loading of a checkpoint (default: %(default)s)",
    )
    parser.add_argument("--resume", action="store_true", help="accepted for clarity: a batch always goes on where it stopped")
    parser.add_argument("--retry-failed", action="store_true", help="try inputs again that failed before")
    parser.add_argument(
        "--chunk", type=arguments.chunk, default=(1, 1), metavar="I/N", help="do only the I-th of N shares, for a render farm"
    )
    parser.add_argument(
        "--blender", default="", metavar="COMMAND", help="the Blender that writes the scenes (default: Python's own)"
    )
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="processes of this machine, or a Ray cluster")
    parser.add_argument("--address", metavar="HOST:PORT", help="of the Ray cluster (default: the one that Ray finds)")
    add_network(parser, box=False)
    add_build(parser)


def run(options: Namespace, console: Console) -> None:
    if options.library and not options.blend:
        raise UsageError("--library gathers .blend files, and with --no-blend there are none.", "Leave one of the two out.")
    plan = make_plan(options)
    output = Path(options.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SapiensError(
            f"The folder {output} cannot be made: {error.strerror}.", "Choose another place for the results."
        ) from error
    part, parts = options.chunk
    suffix = f"-{part}of{parts}" if parts > 1 else ""
    with _alone(output, suffix), _signals():
        _run(options, console, output, suffix, plan)


def _run(options: Namespace, console: Console, output: Path, suffix: str, plan: Plan) -> None:
    from ..batch import record as records
    from ..batch.items import chunk, find_inputs, make_items
    from ..batch.report import Journal, line_of, write_contact_sheet, write_reports
    from ..batch.stages import InputJob, write_library

    inputs = find_inputs(options.source, options.one_person)
    items = make_items(inputs, options.name, records.known_names(output), options.one_person)
    items = chunk(items, *options.chunk)
    lines: dict[Path, dict] = {}
    jobs: list[InputJob] = []
    copies: list[tuple[Item, str]] = []
    journal = Journal(output / f"report{suffix}.jsonl")

    def ended(item: Item, record: records.Record) -> None:
        lines[item.path] = line_of(item.name, record)
        journal.write(lines[item.path])
        if record.error:
            console.failed(item.path, SapiensError(record.error, record.hint))
        elif not record.copy_of:
            console.result(output / item.name)
        console.progress("batch", f"{len(lines)} of {len(items)}", len(lines) / len(items))

    console.progress("batch", f"0 of {len(items)}", 0.0)
    first: dict[str, Item] = {}
    _remove_leftovers(output, f".report{suffix}.*.part", f".contact{suffix}.*.part")  # those of other chunks are theirs
    for item in items:
        folder = output / item.name
        if item.error:
            ended(item, records.Record(str(item.path), "", error=item.error, hint=item.hint))
        elif item.sha256 in first:
            copies.append((item, first[item.sha256].name))
        else:
            first[item.sha256] = item
            found = records.load(folder)
            todo = plan.todo(item, found, folder, options.retry_failed)
            if todo:
                _remove_leftovers(folder, ".*.part", ".sapiens2-*")
                jobs.append(InputJob(item, folder, todo))
            else:
                assert found is not None
                if found.input != str(item.path):  # the same content under another name
                    found.input = str(item.path)
                    records.save(folder, found)
                ended(item, found)
    try:
        for job, error in _engine(options, jobs, plan):
            record = records.load(job.folder) or records.Record(str(job.item.path), job.item.sha256)
            if error is not None and not record.error:
                record.error, record.hint = error.message, error.hint
            ended(job.item, record)
        for item, name in copies:
            record = records.load(output / name) or records.Record(str(item.path), item.sha256)
            record.input, record.copy_of = str(item.path), name
            ended(item, record)
    finally:
        journal.close()
    ordered = [lines[item.path] for item in items]
    write_reports(output, suffix, ordered)
    if ordered:  # a share of a farm may have nothing to do
        console.result(write_contact_sheet(output / f"contact{suffix}.png", ordered, output))
    if options.library:
        done = [output / line["name"] / f"{line['name']}.blend" for line in ordered if line["status"] == "done"]
        if files := [path for path in done if path.exists()]:
            console.result(_in_worker(write_library, files, Path(options.library), plan))


def _engine(options: Namespace, jobs: list[InputJob], plan: Plan) -> Iterator[Outcome]:
    """Where the work is done."""
    if options.engine == "ray":
        from ..batch.cluster import run_ray

        return run_ray(jobs, plan, options.address, options.group)
    from ..batch.engine import run_local

    return run_local(jobs, plan, options.jobs, options.group)


def make_plan(options: Namespace) -> Plan:
    """What the options ask for, with the identity of the weights in it."""
    from ..batch.plan import NetworkOptions, Plan
    from ..weights.catalogue import fingerprint

    check_one_person(options)
    check_known_person(options)
    check_avatar_is_made(options)
    check_scan_is_made(options)
    make = ["predictions", *(["blend"] if options.blend else []), *(["preview"] if options.picture else [])]
    make += [f".{kind.lstrip('.').lower()}" for kind in options.export]
    if unknown := [kind for kind in make if kind.startswith(".") and kind not in SUFFIXES]:
        raise UsageError(f"{', '.join(unknown)} is no known format.", f"Choose from {', '.join(SUFFIXES)}.")
    network = settings_from(NetworkOptions, options, weights=fingerprint(options.model))
    return Plan(
        network,
        avatar_settings(options, options.export),
        settings_from(ClipSettings, options),
        tuple(dict.fromkeys(make)),
        options.people,
        options.blender,
        options.separate,
    )


def _in_worker(function: Callable[..., Path], *arguments: object) -> Path:
    """One call in a process of its own: this one has no Blender, and starts fast because of that."""
    from ..batch.engine import CallProcess, end_workers

    try:
        return CallProcess().submit(function, *arguments).result()
    finally:
        end_workers()


def _remove_leftovers(folder: Path, *patterns: str) -> None:
    """Temporary files of a run that was killed (`core.common.atomic_files`, `scene.files`).
    Other hidden files are not ours to remove."""
    import shutil

    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _alone(output: Path, suffix: str) -> Iterator[None]:
    """One batch at a time in a folder."""
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(output / f".batch{suffix}.lock"))
        except Held as error:
            raise SapiensError(f"Another batch is writing to {output}.", "Wait for it, or choose another folder.") from error
        yield


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM stops a batch like Ctrl+C does: what is finished stays finished."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
