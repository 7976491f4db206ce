"""What happens between antennas: noise, delay, multipath, fading, oscillators, front ends. Torch; no files, no radios."""
