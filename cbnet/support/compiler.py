"""Which C++ compiler there is, and how it is asked."""

import os
import shlex
import shutil

FLAGS = "-std=c++17 -O3 -march=native -fno-math-errno -fno-trapping-math -w"


def command():
    """The compiler that the user's ``CXX`` names, or g++: a list of words."""
    given = os.environ.get("CXX", "").strip()
    if shutil.which(given):  # its folder may have spaces in its name
        return [given]
    try:
        return shlex.split(given) or ["g++"]
    except ValueError:  # a quote without its end
        return [given]
