"""Two processes that trust each other with plain data only: see README.md."""
