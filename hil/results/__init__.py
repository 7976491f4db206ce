"""Results: rows, intervals, comparisons, and the document that a run leaves."""
