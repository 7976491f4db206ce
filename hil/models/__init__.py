"""Schemes (encoder, access, decoder), backbones and training."""
