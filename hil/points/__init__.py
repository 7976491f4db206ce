"""Points: one scheme at one SNR, planned, sent, received, decoded and simulated."""
