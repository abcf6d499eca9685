"""Networks: rates that reproduce themselves, their stability, and how neurons differ in them."""
