"""`person IMAGE|PREDICTIONS… -o FILE.person`: who somebody is, from one or several photos of them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..core.common.errors import SapiensError
from .console import Console
from .inputs import check_writable, distinct, predictions_of
from .options import add_network

HELP = "Who somebody is, from one or several photos of them; build --person uses it again."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="IMAGE|PREDICTIONS", help="photos of one person, or stored predictions")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.person")
    add_network(parser)


def run(options: Namespace, console: Console) -> None:
    output = Path(options.output)
    check_writable(output)
    console.result(save_person(list(map(Path, options.inputs)), output, options, console))


def save_person(inputs: list[Path], output: Path, options: Namespace, console: Console) -> Path:
    """The largest person of some photos into a file. A photo that shows nobody is reported and left out.
    Raises SapiensError when none is left."""
    from ..core.body.person import person_of, sighting_of

    sightings = []
    for path in distinct(inputs):
        try:
            console.progress(path.name, "body", 0.0)
            sightings.append(sighting_of(predictions_of(path, options, console)))
        except SapiensError as error:
            console.failed(path, error)
    if not sightings:
        raise SapiensError("No photo shows a person whose body could be fitted.", "Choose photos that show most of one person.")
    return person_of(sightings).save(output)
