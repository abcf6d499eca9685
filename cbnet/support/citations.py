"""What to cite for work done with cbnet."""

import importlib.metadata
from dataclasses import dataclass

from .. import __version__


@dataclass(frozen=True)
class Reference:
    """Something to cite.

    Attributes
    ----------
    why : str
        For what.
    text : str
        The reference as it is printed.
    bibtex : str
        The same as a BibTeX entry.
    """

    why: str
    text: str
    bibtex: str


def references():
    """What to cite, with the versions installed here.

    Returns
    -------
    tuple of Reference
    """
    brian2 = importlib.metadata.version("brian2")
    return (
        Reference(
            why="the model and its theory",
            text="A. Sanzeni, M. H. Histed and N. Brunel, Emergence of irregular activity in "
            "networks of strongly coupled conductance-based neurons, Phys. Rev. X 12, 011044 "
            "(2022), doi:10.1103/PhysRevX.12.011044, arXiv:2009.12023",
            bibtex="""@article{Sanzeni2022,
  author  = {Sanzeni, Alessandro and Histed, Mark H. and Brunel, Nicolas},
  title   = {Emergence of Irregular Activity in Networks of Strongly Coupled
             Conductance-Based Neurons},
  journal = {Physical Review X},
  volume  = {12},
  pages   = {011044},
  year    = {2022},
  doi     = {10.1103/PhysRevX.12.011044},
}""",
        ),
        Reference(
            why="the program",
            text=f"The cbnet developers, cbnet {__version__} (2026)",
            bibtex=f"""@software{{cbnet,
  author  = {{{{The cbnet developers}}}},
  title   = {{cbnet: strongly coupled networks of spiking neurons}},
  version = {{{__version__}}},
  year    = {{2026}},
}}""",
        ),
        Reference(
            why="the simulator",
            text=f"M. Stimberg, R. Brette and D. F. M. Goodman, Brian 2, an intuitive and "
            f"efficient neural simulator, eLife 8, e47314 (2019), doi:10.7554/eLife.47314; "
            f"version {brian2}",
            bibtex=f"""@article{{Stimberg2019,
  author  = {{Stimberg, Marcel and Brette, Romain and Goodman, Dan F. M.}},
  title   = {{Brian 2, an intuitive and efficient neural simulator}},
  journal = {{eLife}},
  volume  = {{8}},
  pages   = {{e47314}},
  year    = {{2019}},
  doi     = {{10.7554/eLife.47314}},
  note    = {{version {brian2}}},
}}""",
        ),
    )
