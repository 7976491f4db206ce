"""Noiseless reference networks: features straight to retrieval, no channel."""

from hil.models.card import Card, SchemeEntry

REGISTERED = (
    SchemeEntry(
        name="baseline-single",
        target="hil.models.baseline.schemes:SingleBaseline",
        summary="one view, no channel",
        card=Card(
            name="baseline-single",
            paper="Jankowski et al., Deep JSCC for Wireless Image Retrieval",
            section="2.1",
            kind="bound",
        ),
        reference=True,
    ),
    SchemeEntry(
        name="baseline-pair",
        target="hil.models.baseline.schemes:PairBaseline",
        summary="two views, no channel",
        card=Card(
            name="baseline-pair",
            paper="Lo et al., Collaborative Semantic Communication for Edge Inference",
            section="App. B",
            kind="bound",
        ),
        reference=True,
    ),
)
