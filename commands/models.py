"""`models list|download|import|verify`: the network's weights on this machine."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from functools import partial

from ..core.common.errors import SapiensError
from ..weights.catalogue import ModelRow
from . import arguments
from .arguments import common_options
from .console import Console

HELP = "The network's weights: list, download, import, verify."


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="what exists and what is installed", parents=[common_options()])
    download = actions.add_parser("download", help="fetch weights from the Hugging Face Hub", parents=[common_options()])
    download.add_argument("model", type=arguments.model, metavar="MODEL", help="0.4b, 0.8b, 1b or 5b")
    download.add_argument("--tasks", type=arguments.tasks, metavar="LIST")
    download.add_argument("--accept-license", action="store_true", help="you have read and accept the Sapiens2 License")
    imported = actions.add_parser("import", help="take weights from a folder or file on this machine", parents=[common_options()])
    imported.add_argument("path", metavar="FOLDER|FILE")
    imported.add_argument("--link", action="store_true", help="link instead of copying")
    imported.add_argument("--accept-license", action="store_true", help="you have read and accept the Sapiens2 License")
    verify = actions.add_parser("verify", help="check the installed files", parents=[common_options()])
    verify.add_argument("model", type=arguments.model, nargs="?", metavar="MODEL")


def run(options: Namespace, console: Console) -> None:
    {"list": _list, "download": _download, "import": _import, "verify": _verify}[options.action](options, console)


def _list(_options: Namespace, console: Console) -> None:
    from ..weights.catalogue import list_models, models_folder

    rows = list_models()
    console.record(models=[asdict(row) | {"path": _text(row)} for row in rows], folder=str(models_folder()))
    if not console.as_json:
        for row in rows:
            where = row.path if row.path is not None else f"not installed ({row.repository})"
            sys.stdout.write(f"{row.model:8}{row.task:9}{row.parameters / 1e6:8.0f} M{row.size / 1e9:8.2f} GB  {where}\n")
        sys.stdout.write(f"Downloaded and imported weights are in {models_folder()}. Licence: {rows[-1].licence}.\n")


def _download(options: Namespace, console: Console) -> None:
    from ..weights.download import download_model

    report = partial(console.progress, options.model)
    rows = download_model(options.model, options.tasks, online=True, accept_licence=options.accept_license, progress=report)
    for row in rows:
        console.result(_text(row))


def _import(options: Namespace, console: Console) -> None:
    from ..weights.store import import_model

    report = partial(console.progress, "import")
    for row in import_model(options.path, link=options.link, accept_licence=options.accept_license, progress=report):
        console.result(_text(row))


def _verify(options: Namespace, console: Console) -> None:
    from ..weights.store import verify_model

    checked = verify_model(options.model, partial(console.progress, "verify"))
    console.record(verified=[asdict(row) | {"path": str(row.path)} for row in checked])
    for row in checked:
        if row.ok:
            console.result(row.path)
        else:
            console.failed(row.path, SapiensError(row.problem, "Download or import it again."))
    if not checked:
        console.note("No released weights are installed.")


def _text(row: ModelRow) -> str:
    return "" if row.path is None else str(row.path)
