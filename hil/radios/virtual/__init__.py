"""Virtual radios: the vendors' wire protocols on loopback, all on one simulated air, in a process of its own (`hil air`).

A protocol is one subclass of `ProtocolServer` (server.py) per radio, on top of one `VirtualRadio` (radio.py). The order of
things, and what may be relied upon, is in world.py.
"""
