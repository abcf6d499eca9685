"""How Sphinx builds these pages: ``python -m sphinx -W -b html docs FOLDER``."""

import re

import cbnet
from cbnet.results import Result

project = "cbnet"
author = copyright = "The cbnet developers"
version = release = cbnet.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_build"]
nitpicky = True
# Types in docstrings are words such as Quantity; private modules have no page.
nitpick_ignore_regex = [
    ("py:class", ".*"),
    ("py:mod", ".*"),
    ("py:func", r".*\._.*"),
    ("py:exc", ".*"),
]

html_theme = "furo"
html_title = f"cbnet {release}"
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
highlight_language = "none"  # indented blocks are formulas

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # docstrings have types, shapes and units
napoleon_google_docstring = False
napoleon_custom_sections = ["Assumptions"]
napoleon_use_ivar = True
napoleon_use_rtype = False

nb_execution_mode = "force"
nb_execution_in_temp = True  # what the tutorial saves stays away from the sources
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300  # s, of one cell: the first simulation compiles
nb_merge_streams = True


def formulas(app, what, name, obj, options, lines):
    """Indented paragraphs of docstrings are formulas: shown as they stand, and no quotations.

    In reStructuredText that takes a line ``::``, which people who read the source do not miss.
    """
    for number in reversed(range(len(lines))):
        line = lines[number]
        if not line.strip() or number == 0 or lines[number - 1].strip():
            continue
        above = next((text for text in reversed(lines[:number]) if text.strip()), "")
        inside = len(line) - len(line.lstrip())
        outside = len(above) - len(above.lstrip())
        marked = above.rstrip().endswith("::") or above.lstrip().startswith(("..", ":", "* ", "- "))
        if inside > outside and not marked:
            lines[number:number] = [" " * outside + "::", ""]


def attributes(app, what, name, obj, options, lines):
    """Several attributes in one line: Sphinx takes what stands before a space for a type."""
    for number, line in enumerate(lines):
        if re.match(r":(ivar|vartype) \w+, ", line):
            field, names, text = re.match(r":(\w+) ([\w, ]+):(.*)", line).groups()
            lines[number] = f":{field} {names.replace(', ', ',')}:{text}"


def signature(app, what, name, obj, options, arguments, returned):
    """Results are made by functions: how to construct one is nobody's concern."""
    if what == "class" and issubclass(obj, Result):
        return "", None
    return None


def setup(app):
    app.connect("autodoc-process-docstring", formulas, priority=900)  # after napoleon's 500
    app.connect("autodoc-process-docstring", attributes, priority=900)
    app.connect("autodoc-process-signature", signature)
