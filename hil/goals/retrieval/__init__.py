"""Image retrieval: whose picture is it? Top-1, CMC and mAP over a gallery."""

from hil.goals.card import GoalEntry

REGISTERED = (
    GoalEntry(
        name="retrieval",
        target="hil.goals.retrieval.goal:Retrieval",
        summary="rank a gallery by features: top-1, CMC, mAP",
        default=True,
        order=10,
    ),
)
