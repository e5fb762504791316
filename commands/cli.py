"""The command line: ``python -m sapiens2_avatar …`` and ``blender --command sapiens2 …`` take the same sub-commands.

Exit status: 0 all done, 1 some inputs failed (each named with its reason), 2 wrong usage. Progress goes to stderr, the paths of
results to stdout; with --json one JSON object on stdout says all of it. Each sub-command is a module of `commands`.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from .arguments import common_options

COMMANDS = ("demo", "predict", "build", "person", "texture", "pose", "animate", "batch", "models", "doctor")
"""Each is a module beside this one, with `HELP`, `add_arguments(parser)` and `run(options, console)`.
Importing one loads nothing heavy."""


def parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="sapiens2-avatar", description="Turn photographs of people into digital humans in Blender."
    )
    top.add_argument("--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        module = import_module(f".{name}", __package__)
        module.add_arguments(commands.add_parser(name, help=module.HELP, description=module.HELP, parents=[common_options()]))
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status. Never raises for an expected failure."""
    from ..core.common.errors import SapiensError, UsageError

    grammar = parser()
    try:
        options = grammar.parse_args(argv)
    except SystemExit as leave:
        return int(leave.code or 0)
    from .console import Console

    if options.version:
        from ..core.common.version import VERSION

        Console().result(VERSION)
        return 0
    if options.command is None:
        grammar.print_help()
        return 2
    console = Console(as_json=options.json, quiet=options.quiet)
    try:
        import_module(f".{options.command}", __package__).run(options, console)
    except UsageError as error:
        console.failed(None, error)
        console.close()
        return 2
    except SapiensError as error:
        console.failed(None, error)
    except KeyboardInterrupt:
        console.failed(None, SapiensError("Stopped."))
    except BrokenPipeError:
        return 1
    return console.close()
