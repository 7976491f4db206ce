"""Separate source and channel coding: quantised latents, arithmetic coding, codes that reach capacity (a bound), or LDPC."""

from hil.models.card import Card, SchemeEntry

_LO = "Lo et al., Collaborative Semantic Communication for Edge Inference"

REGISTERED = (
    SchemeEntry(
        name="digital-single",
        target="hil.models.digital.schemes:SingleDigital",
        summary="one transmitter, bits at capacity",
        card=Card(
            name="digital-single",
            paper="Jankowski et al., Deep JSCC for Wireless Image Retrieval",
            section="2.2",
            kind="bound",
        ),
    ),
    SchemeEntry(
        name="digital-pair",
        target="hil.models.digital.schemes:PairDigital",
        summary="two transmitters superposed, bits at equal rates at the capacity of the multiple-access channel",
        card=Card(name="digital-pair", paper=_LO, section="IV-A", kind="bound"),
    ),
    SchemeEntry(
        name="digital-pair-oma",
        target="hil.models.digital.schemes:TurnsDigital",
        summary="the same two networks taking turns",
        weights="digital-pair",
        card=Card(name="digital-pair-oma", paper=_LO, section="IV-A, with the access of IV-B's OMA", kind="bound"),
    ),
    SchemeEntry(
        name="digital-pair-either",
        target="hil.models.digital.schemes:EitherPair",
        summary="as digital-pair; in an outage of the pair, a view that decodes with the other as noise answers alone",
        weights="digital-pair",
        card=Card(name="digital-pair-either", paper=_LO, section="V-A, without its common outage", kind="bound"),
    ),
    SchemeEntry(
        name="digital-pair-oma-either",
        target="hil.models.digital.schemes:EitherTurns",
        summary="as digital-pair-oma; in an outage of the pair, a view that decodes answers alone",
        weights="digital-pair",
        card=Card(
            name="digital-pair-oma-either", paper=_LO, section="V-A, without its common outage, with OMA's access", kind="bound"
        ),
    ),
    SchemeEntry(
        name="digital-ldpc-single",
        target="hil.models.digital.coded:SingleCoded",
        summary="one transmitter, bits by an LDPC code of 802.11n and QAM",
        install="pip install 'hil[digital]'",
        weights="digital-single",
        card=Card(name="digital-ldpc-single", paper="Jankowski et al., Deep JSCC for Wireless Image Retrieval", section="2.2"),
    ),
    SchemeEntry(
        name="digital-ldpc-pair",
        target="hil.models.digital.coded:PairCoded",
        summary="two transmitters taking turns, bits by LDPC codes of 802.11n and QAM",
        install="pip install 'hil[digital]'",
        weights="digital-pair",
        card=Card(name="digital-ldpc-pair", paper=_LO, section="IV-A, with the access of IV-B's OMA"),
    ),
)
