"""``python -m cbnet`` is ``cbnet``."""

import sys

from .cli.app import main

if __name__ == "__main__":
    sys.exit(main())
