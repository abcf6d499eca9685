"""The report as Markdown and as one HTML page that needs nothing else."""

import base64
import html
import math
import re

from . import verdicts
from .claims import BEYOND

TITLE = "Strongly coupled networks: each claim, and the number that decides it"
INTRODUCTION = (
    "The claims are those of A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 "
    "(2022), as cbnet's authors read them, with cbnet's own reference parameters; a figure here is "
    "not a copy of one in the paper. Each row has one number, predicted by theory and measured in "
    "simulation (± one standard error; one without was computed, not measured), and a criterion "
    "that was fixed before the run. Where a criterion asks for several networks or neurons the "
    "number is the one that decides. On the page a claim's key leads to its figure. A claim that "
    "begins with dots continues the one above it. Each of the two must meet the criterion by "
    "itself; they need not agree with one another, and where they differ by more than the error it "
    "is chiefly because theory takes inputs as independent Poisson trains. Rows of theory alone, "
    "or of a measurement alone, have a dash for the other. 'Undecided at this size' means that the "
    "simulation was too short or too small."
)
HEADER = ("", "claim", "of", "number", "theory", "simulation", "verdict", "criterion", "command")
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto; padding: 1rem;
  max-width: 84rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
img { max-width: 100%; height: auto; display: block; }
figure { margin: 1rem 0 2.5rem; } figcaption { font-size: .9rem; max-width: 60rem; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .5rem;
  border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #888; }
td.n { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font-size: .8rem; background: #f3f3f3; padding: .1em .3em; overflow-wrap: break-word; }
code span { white-space: nowrap; }
.note { color: #666; display: block; }
.v { font-weight: 600; } .yes { color: #05663b; } .no { color: #a3260e; } .open { color: #7a5c00; }
.wide { overflow-x: auto; }
@media (max-width: 48rem) {
  .wide img { max-width: none; width: 44rem; }
  thead { display: none; }
  table, tbody, tr, td { display: block; }
  tr { border: 1px solid #ccc; border-radius: 6px; margin: 0 0 1rem; padding: .4rem; }
  td { border: 0; padding: .15rem .3rem .15rem 5.5rem; position: relative; }
  td::before { content: attr(data-l); color: #666; position: absolute; left: .3rem; }
  td:first-child { padding-left: .3rem; }
}
"""
_CLASSES = {
    verdicts.SUPPORTED: "yes",
    verdicts.NOT_SUPPORTED: "no",
    verdicts.UNDECIDED: "open",
}


def shown(number):
    """A number with its error as text; a dash where there is none."""
    if number is None:
        return "–"
    if not number.known:
        return "not measured"
    if number.value and number.sem:
        # the error has two digits, and the value as many decimals
        error = float(f"{number.sem:.2g}")
        places = max(0, 1 - math.floor(math.log10(error)))
        text = f"{number.value:.{places}f} ± {error:.{places}f}"
    else:
        text = f"{number.value:.4g}" + (f" ± {number.sem:.2g}" if number.sem else "")
    return text.replace("-", "−")


def row(judged):
    """The cells of one claim as text, in the order of :data:`HEADER`."""
    claim, outcome = judged.claim, judged.outcome
    return (
        claim.key,
        claim.says,
        claim.scope,
        claim.number + (f" [{outcome.note}]" if outcome.note else ""),
        shown(outcome.theory),
        shown(outcome.simulation),
        outcome.verdict,
        claim.criterion,
        judged.command,
    )


def counts(judged):
    """How many rows have each verdict."""
    found = [one.outcome.verdict for one in judged]
    return {name: found.count(name) for name in _CLASSES}


def summary(judged):
    """The verdicts counted, in one line."""
    found = counts(judged)
    alone = sum(
        one.outcome.verdict == verdicts.SUPPORTED and one.outcome.simulation is None
        for one in judged
    )
    by_theory = f" ({alone} of them by theory alone)" if alone else ""
    return ", ".join(
        f"{count} {name}" + by_theory * (name == verdicts.SUPPORTED)
        for name, count in found.items()
    )


def _sections(judged):
    paper = [one for one in judged if one.claim.claim != BEYOND]
    beyond = [one for one in judged if one.claim.claim == BEYOND]
    return [("Claims of the paper", paper), ("Beyond the paper", beyond)]


def markdown(judged, figures, about):
    """The report as Markdown; figures are files beside it.

    Parameters
    ----------
    judged : list of Judged
    figures : list of tuple
        Title, caption and name of a PNG file of each.
    about : str
        What was run, on what.
    """
    lines = [f"# {TITLE}", "", INTRODUCTION, "", about, "", f"In all: {summary(judged)}.", ""]
    for title, some in _sections(judged):
        lines += [f"## {title}", "", "| " + " | ".join(HEADER) + " |"]
        lines += ["|" + "---|" * len(HEADER)]
        for one in some:
            cells = [cell.replace("|", "\\|") for cell in row(one)]
            cells[-1] = f"`{cells[-1]}`"
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    lines += ["## Figures", ""]
    for title, caption, file in figures:
        lines += [f"### {title}", "", f"![{title}]({file})", "", caption, ""]
    return "\n".join(lines)


def page(judged, figures, about):
    """The report as one HTML page, pictures included.

    Parameters
    ----------
    judged : list of Judged
    figures : list of tuple
        Name, title, caption and the bytes of a PNG of each.
    about : str
        What was run, on what.
    """
    e = html.escape
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{e(TITLE)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{e(TITLE)}</h1><p>{e(INTRODUCTION)}</p><p>{e(about)}</p>",
        f"<p><strong>In all: {e(summary(judged))}.</strong></p>",
    ]
    for title, some in _sections(judged):
        head = "".join(f"<th>{e(name)}</th>" for name in HEADER)
        parts.append(f"<h2>{e(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>")
        parts += [_html_row(one) for one in some]
        parts.append("</tbody></table>")
    parts.append("<h2>Figures</h2>")
    for name, title, caption, picture in figures:
        source = base64.b64encode(picture).decode("ascii")
        parts.append(
            f'<figure id="{e(name)}"><h3>{e(title)}</h3><div class="wide"><img alt="{e(title)}" '
            f'src="data:image/png;base64,{source}"></div>'
            f"<figcaption>{e(caption)}</figcaption></figure>"
        )
    return "\n".join([*parts, "</body></html>", ""])


def _html_row(one):
    e = html.escape
    cells = []
    for name, text in zip(HEADER, row(one), strict=True):
        inside, kind = e(text), ""
        if name == "verdict":
            inside = f'<span class="v {_CLASSES[text]}">{inside}</span>'
        elif name == "command":
            inside = re.sub(r"(--\S+)", r"<span>\1</span>", inside.replace("_", "_<wbr>"))
            inside = f"<code>{inside}</code>"
        elif name == "number" and one.outcome.note:
            inside = e(one.claim.number) + f'<span class="note">{e(one.outcome.note)}</span>'
        elif name in ("theory", "simulation"):
            kind = ' class="n"'
        elif name == "":
            inside = f'<a href="#{e(one.claim.figure)}"><strong>{inside}</strong></a>'
        cells.append(f'<td{kind} data-l="{e(name)}">{inside}</td>')
    return f"<tr>{''.join(cells)}</tr>"
