"""Published networks: a module each, with `network(**options)`, which `cbnet.load` calls."""
