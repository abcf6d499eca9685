"""Each claim, the number that decides it, and the verdict; criteria are fixed before any run."""
