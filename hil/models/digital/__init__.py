"""Separate source and channel coding: quantised latents, arithmetic coding, and codes that reach capacity (a bound)."""
