"""Symbols <-> samples: OFDM frames, detection, synchronisation, channel estimation. Pure torch; no files, no radios."""
