"""Training: recipes to weights."""
