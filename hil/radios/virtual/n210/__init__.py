"""The USRP N210's protocol: VITA-49 and its control words over UDP. Facts: docs/virtual-n210.md."""
