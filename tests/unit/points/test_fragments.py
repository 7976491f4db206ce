"""Tasks cut into fragments and put together: nothing is lost, moved to another transmitter, or sent twice."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.points.fragments import assemble, cut, fragment_map, fragments_needed


@st.composite
def occupancies(draw):
    """bool [tx, use] with at least one occupied use."""
    transmitters, uses = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    occupied = torch.rand(transmitters, uses, generator=generator) < draw(st.floats(0.05, 1.0))
    occupied[0, draw(st.integers(0, uses - 1))] = True
    return occupied


def values_on(occupied, tasks=3):
    generator = torch.Generator().manual_seed(int(occupied.sum()))
    drawn = torch.randn(len(occupied), tasks, occupied.shape[1], dtype=torch.complex64, generator=generator)
    return drawn * occupied[:, None]


DEALT = st.sampled_from(["turns", "blocks"])


@given(occupied=occupancies(), fragments=st.integers(1, 7), dealt=DEALT)
@settings(max_examples=200, deadline=None)
def test_what_is_cut_is_put_together_again(occupied, fragments, dealt):
    values = values_on(occupied)
    places = fragment_map(occupied, fragments, dealt)
    carried = cut(values, places)
    assert carried.shape == (len(occupied), 3 * fragments, places.shape[1])
    assert torch.equal(assemble(carried, places, occupied.shape[1]), values)
    assert int((carried != 0).sum()) == int((values != 0).sum())  # nothing twice
    mask = occupied.any(0).expand(3, -1)
    assert torch.equal(assemble(cut(mask, places), places, occupied.shape[1]), mask)  # bool, too


@given(occupied=occupancies(), fragments=st.integers(2, 7), dealt=DEALT)
@settings(max_examples=200, deadline=None)
def test_every_used_use_rides_once_and_with_its_own_transmitters(occupied, fragments, dealt):
    places = fragment_map(occupied, fragments, dealt)
    assert sorted(places[places >= 0].tolist()) == occupied.any(0).nonzero()[:, 0].tolist()
    assert bool((places[0] >= 0).all())
    for place in range(places.shape[1]):
        uses = places[:, place][places[:, place] >= 0]
        assert bool((occupied[:, uses] == occupied[:, uses[:1]]).all())


@given(occupied=occupancies(), most=st.integers(1, 50))
@settings(max_examples=200, deadline=None)
def test_as_many_fragments_as_needed_and_no_more(occupied, most):
    fragments = fragments_needed(occupied, most)
    width = fragment_map(occupied, fragments)
    held = int(occupied.any(0).sum()) if fragments == 1 else width.shape[1]
    sets = len({tuple(column) for column in occupied.T.tolist() if any(column)})
    assert held <= max(most, sets)
    if fragments > 1 and held <= most:
        fewer = fragment_map(occupied, fragments - 1)
        assert (int(occupied.any(0).sum()) if fragments == 2 else fewer.shape[1]) > most


def test_one_fragment_is_the_task_itself():
    occupied = torch.tensor([[True, False, True]])
    values = values_on(occupied)
    places = fragment_map(occupied, 1)
    assert places.tolist() == [[0, 1, 2]]
    assert cut(values, places) is values
    assert assemble(values, places, 3) is values
    assert fragments_needed(occupied, 2) == 1


def test_oma_is_dealt_out_evenly():
    occupied = torch.zeros(2, 10, dtype=torch.bool)
    occupied[0, :5] = occupied[1, 5:] = True
    assert fragment_map(occupied, 3).tolist() == [[0, 3, 5, 8], [1, 4, 6, 9], [2, -1, 7, -1]]
    assert fragment_map(occupied, 3, "blocks").tolist() == [[0, 1, 5, 6], [2, 3, 7, 8], [4, -1, 9, -1]]
    assert fragments_needed(occupied, 4) == 3
    assert fragments_needed(occupied, 9) == 2


def test_fragments_are_as_loud_as_each_other_though_maps_are_not():
    """Eight maps of 100 uses, each twice as strong as the one before."""
    power = (2.0 ** torch.arange(8)).repeat_interleave(100)
    occupied = torch.ones(1, 800, dtype=torch.bool)
    spread = {how: cut(power[None], fragment_map(occupied, 8, how)).sum(1) for how in ("turns", "blocks")}
    assert spread["turns"].max() / spread["turns"].min() < 1.1  # 12 or 13 uses of each map
    assert spread["blocks"].max() / spread["blocks"].min() == 128
