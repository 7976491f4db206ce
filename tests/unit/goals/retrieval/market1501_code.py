"""Market-1501's evaluation, step by step as its authors' `compute_AP.m` does it, in plain Python; knows nothing of `hil`.

Source: Zheng et al., Scalable Person Re-identification, ICCV 2015, and the baseline code that came with it.
"""


def evaluate(order, people, cameras, person, camera_set):
    """Average precision (trapezoid) and CMC of one query.

    Args:
        order: gallery indices, nearest first.
        people, cameras: of the gallery images.
        person, camera_set: of the query.
    """
    good = {i for i, p in enumerate(people) if p == person and cameras[i] not in camera_set}
    junk = {i for i, p in enumerate(people) if p == -1 or (p == person and cameras[i] in camera_set)}
    cmc = [0] * len(order)
    ap, old_recall, old_precision = 0.0, 0.0, 1.0
    hits = seen = skipped = 0
    for n, index in enumerate(order):
        if index in junk:
            skipped += 1
            continue
        if index in good:
            for rest in range(n - skipped, len(cmc)):
                cmc[rest] = 1
            hits += 1
        recall, precision = hits / len(good), hits / (seen + 1)
        ap += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
        seen += 1
        if hits == len(good):
            break
    return ap, cmc


def plain_average_precision(order, people, cameras, person, camera_set):
    """Mean over the right answers of the precision at each one's place."""
    counted = [i for i in order if people[i] != -1 and not (people[i] == person and cameras[i] in camera_set)]
    right = [people[i] == person for i in counted]
    return sum(sum(right[: k + 1]) / (k + 1) for k, hit in enumerate(right) if hit) / sum(right)
