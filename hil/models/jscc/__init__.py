"""JSCC autoencoders on retrieval features: one transmitter, two orthogonal ones, two superposed ones."""

from hil.models.card import Card, Claim, SchemeEntry

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
        claims=(
            Claim(
                paper=_LO,
                text="a single device surpasses OMA at very low SNR",
                first="jscc-single",
                second="jscc-oma",
                relation=">",
                metric="top1",
                up_to_snr_db=-3.0,  # the paper says "very low" and shows −6 dB and up
            ),
        ),
    ),
    SchemeEntry(
        name="jscc-fc",
        target="hil.models.jscc.fc:FcJscc",
        summary="one transmitter, one layer and no decoder",
        card=Card(name="jscc-fc", paper=_JANKOWSKI, section="2.3"),
        claims=(
            Claim(
                paper=_JANKOWSKI,
                text="the autoencoder outperforms a single layer without a decoder",
                first="jscc-single",
                second="jscc-fc",
                relation=">",
                metric="top1",
            ),
        ),
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
        claims=(
            Claim(
                paper=_LO,
                text="NOMA is at least as good as OMA at every SNR",
                first="jscc-noma",
                second="jscc-oma",
                relation="≥",
                metric="top1",
            ),
            Claim(
                paper=_LO,
                text="NOMA is at least as good as a single device at every SNR",
                first="jscc-noma",
                second="jscc-single",
                relation="≥",
                metric="top1",
            ),
        ),
    ),
)
