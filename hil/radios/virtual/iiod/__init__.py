"""The ADALM-Pluto's protocol: IIOD over TCP. Facts: docs/virtual-pluto.md."""
