"""``cbnet cite``: what to cite."""

import textwrap
from typing import Annotated

import typer

from ..support.citations import references
from . import options, output

EXAMPLES = ("cbnet cite", "cbnet cite --bibtex")


def cite(
    bibtex: Annotated[bool, typer.Option("--bibtex", help="BibTeX entries and no text.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
):
    """What to cite: the paper, cbnet and Brian2, as text and as BibTeX."""
    found = references()
    if as_json:
        output.print_json({"references": [vars(reference) for reference in found]})
        return
    if not bibtex:
        for reference in found:
            print(textwrap.fill(f"For {reference.why}: {reference.text}.", 80))
            print()
    print("\n\n".join(reference.bibtex for reference in found))
