"""Detection: which objects are where in the picture? Mean average precision as VOC and as COCO define it."""

from hil.goals.card import GoalEntry

REGISTERED = (
    GoalEntry(
        name="detection",
        target="hil.goals.detection.goal:Detection",
        summary="find objects and name their classes: mAP of VOC and COCO",
        default=True,
        order=25,
    ),
)
