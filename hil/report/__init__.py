"""Results as a table, as plots, as one page."""
