"""JSCC autoencoders on retrieval features: one transmitter, two orthogonal ones, two superposed ones."""

from hil.models.card import Card, SchemeEntry

_JANKOWSKI = "Jankowski et al., Deep JSCC for Wireless Image Retrieval"
_LO = "Lo et al., Collaborative Semantic Communication for Edge Inference"

REGISTERED = (
    SchemeEntry(
        name="jscc-single",
        alias="single",
        target="hil.models.jscc.schemes:SingleJscc",
        summary="one transmitter",
        card=Card(name="jscc-single", paper=_JANKOWSKI, section="2.3"),
        default=True,
    ),
    SchemeEntry(
        name="jscc-oma",
        alias="oma",
        target="hil.models.jscc.schemes:OmaJscc",
        summary="two transmitters that take turns",
        card=Card(name="jscc-oma", paper=_LO, section="IV-B"),
        default=True,
    ),
    SchemeEntry(
        name="jscc-noma",
        alias="noma",
        target="hil.models.jscc.schemes:NomaJscc",
        summary="two transmitters superposed",
        card=Card(name="jscc-noma", paper=_LO, section="IV-B"),
        default=True,
    ),
)
