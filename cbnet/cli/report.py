"""``cbnet report``: every claim with its measured numbers, as a page."""

import importlib
from pathlib import Path

from ..support import files
from . import options, output
from .figure import Folder, Fresh, Full, Quick, made, mode_of

EXAMPLES = (
    "cbnet report --quick",
    "cbnet report --quick --out report-quick --json",
)
FOLDER = "cbnet-report"


def report(
    quick: Quick = False,
    full: Full = False,
    out: Folder = None,
    fresh: Fresh = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """Every claim drawn, computed, simulated and judged: one HTML page, and Markdown.

    Figures that the folder has already are taken from there.
    """
    mode = mode_of(quick, full)
    making = importlib.import_module("cbnet.figures.making")
    with output.folder(out or output.unused(FOLDER)) as where:
        data, pictures = {}, []
        for name, one, drawn in made(making.chosen("all"), mode, where, fresh, quiet):
            data[name] = one
            png = next(path for path in drawn if path.suffix == ".png")
            pictures.append((one.attrs["title"], one.attrs["caption"], png))
        judged = judge_all(data, mode)
        made_files = write(judged, pictures, mode, data, where)
    if as_json:
        output.print_json(to_dict(judged, made_files))
        return
    show(judged)
    for path in made_files:
        output.announce(path)


def judge_all(data, mode):
    """All claims judged by the data of figures."""
    of_paper = (*_room("one_neuron").CLAIMS, *_room("networks").CLAIMS)
    claims = sorted(of_paper, key=lambda claim: _order(claim.key))
    return _room("claims").judge(
        (*claims, *_room("beyond").CLAIMS), data, lambda figure: f"cbnet figure {figure} --{mode}"
    )


def _room(name):
    """A module of the claims, which stand beside the figures."""
    return importlib.import_module(f"cbnet.figures.claims.{name}")


def _order(key):
    return tuple(int(part) for part in key.split("."))


def write(judged, pictures, mode, data, where):
    """Write the page and its Markdown twin into a folder; the files."""
    from ..results import versions

    page = _room("page")

    seconds = sum(float(one.attrs["seconds"]) for one in data.values())
    about = (
        f"Made by cbnet report --{mode}; figures took {seconds / 60:.0f} minutes; "
        + ", ".join(f"{name} {version}" for name, version in versions().items())
        + f". Reference parameters, if nothing else is said: {_reference()}."
    )
    texts = {
        "report.html": page.page(
            judged,
            [(Path(png).stem, t, c, Path(png).read_bytes()) for t, c, png in pictures],
            about,
        ),
        "report.md": page.markdown(
            judged, [(t, c, Path(png).name) for t, c, png in pictures], about
        ),
    }
    written = []
    for name, text in texts.items():
        written.append(files.write(where / name, text, overwrite=True))
    return written


def _reference():
    """The reference parameters of both models in one line."""
    from ..model.library import load

    params = load("conductance")
    shown = []
    for name, value in params.resolve("E").items():
        if name in params.model.entries:
            entry = params.model.entry(name, name)
            symbol = name if entry.symbol in ("", "–") else entry.symbol
            shown.append(f"{symbol} = {entry.show(value)}")
    return ", ".join(shown)


def to_dict(judged, made_files):
    """The JSON object of the command line."""
    from ..results import plain

    def pair(number):
        return None if number is None else [plain(number.value), plain(number.sem)]

    rows = [
        {
            "key": one.claim.key,
            "claim": one.claim.says,
            "scope": one.claim.scope,
            "number": one.claim.number,
            "theory": pair(one.outcome.theory),
            "simulation": pair(one.outcome.simulation),
            "verdict": one.outcome.verdict,
            "note": one.outcome.note,
            "criterion": one.claim.criterion,
            "command": one.command,
        }
        for one in judged
    ]
    return {"claims": rows, "files": [str(path) for path in made_files]}


def show(judged):
    """Print the verdicts for a person."""
    from rich.table import Table

    from . import tables

    page = _room("page")

    out = tables.console()
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for name in ("", "claim", "of", "theory", "simulation", "verdict"):
        table.add_column(name)
    for one in judged:
        key, says, scope, _, theory, simulation, verdict, *_ = page.row(one)
        table.add_row(key, says, scope, theory, simulation, verdict)
    out.print(table)
    out.print(page.summary(judged))
