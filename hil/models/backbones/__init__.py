"""Image -> feature networks."""
