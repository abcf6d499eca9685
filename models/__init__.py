"""The models that come with cbnet: one module each, its strings and its assumptions."""
