"""`hil watch`: a live page of what receivers hear, beside a run, over a capture, or on a bench. It transmits nothing."""
