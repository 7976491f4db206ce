"""Estimate and correct one link, then a set of links."""
