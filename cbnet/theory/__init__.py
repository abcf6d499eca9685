"""Theory: what the equations of a model predict, without simulating them."""

from . import response, self_consistency  # noqa: F401  (their result classes register on import)
