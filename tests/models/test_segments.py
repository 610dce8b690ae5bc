import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask, create_mask

from uamsim.errors import ConfigError
from uamsim.models.interventions import INTERVENTIONS
from uamsim.models.sampling import Sampler
from uamsim.models.segments import PADDING, Layout, additive
from uamsim.models.wiring import Kind, RopeRule, Segment
from uamsim.testing.models import make_batch, micro_vla

TABLE: dict[tuple[str, tuple[Kind, ...]], list[str]] = {
    ("no_dorsal", ()): ["V", "VL", "VLS", "VLSA"],
    ("mlp_head", ()): ["V", "VL", "VLA"],
    ("gen_init", ()): ["V", "VL", "VLC", "VLCS", "VLCSA"],
    ("uam", ("G_t", "G_1")): ["V", "VL", "VLC", "VLCg", "VLCG", "VLCGS", "VLCGSA"],
}
LETTERS = {"V": "V", "L": "L", "C": "C", "G_t": "g", "G_1": "G", "S": "S", "A": "A"}


def evaluate(layout: Layout, docs: torch.Tensor) -> torch.Tensor:
    batch, length = docs.shape
    index = torch.arange(length)
    return layout.mask_mod(docs)(
        torch.arange(batch)[:, None, None, None],
        torch.zeros((), dtype=torch.long),
        index[:, None],
        index[None, :],
    )


@pytest.mark.parametrize(("variant", "goals"), list(TABLE))
def test_mask_is_the_table_of_the_paper(variant: str, goals: tuple[Kind, ...]) -> None:
    layout = micro_vla(variant).layout(3, goals=goals)
    mask = layout.dense_mask()[0, 0]
    for query, expected in zip(layout.segments, TABLE[variant, goals], strict=True):
        # The last query of a causal segment sees the whole of it.
        row = mask[layout.span(query.kind).stop - 1]
        seen: set[Kind] = {k.kind for k in layout.segments if row[layout.span(k.kind)].any()}
        assert {LETTERS[kind] for kind in seen} == set(expected), query.kind
        assert all(row[layout.span(kind)].all() for kind in seen)


def test_text_is_causal_and_pictures_are_full() -> None:
    layout = micro_vla("uam").layout(4, goals=["G_t", "G_1"])
    mask = layout.dense_mask()[0, 0]
    text, view = layout.span("L"), layout.span("V")
    assert torch.equal(mask[text, text], torch.ones(4, 4, dtype=torch.bool).tril())
    assert mask[view, view].all()


def test_visual_dorsal_tokens_do_not_see_text() -> None:
    layout = micro_vla("uam", dorsal_sees_text=False).layout(4, goals=["G_t", "G_1"])
    mask = layout.dense_mask()[0, 0]
    kinds: tuple[Kind, ...] = ("C", "G_t", "G_1")
    for kind in kinds:
        assert not mask[layout.span(kind), layout.span("L")].any()
    assert mask[layout.span("A"), layout.span("L")].all()


def test_a_prefix_sees_itself_and_its_answer_is_causal() -> None:
    kinds: tuple[Kind, ...] = ("M", "V", "M", "L")
    layout = Layout(
        tuple(
            Segment(kind=k, expert="sem", length=n)
            for k, n in zip(kinds, (2, 3, 1, 5), strict=True)
        ),
        prefix=True,
    )
    docs = torch.zeros(1, layout.length, dtype=torch.long)
    docs[0, -3:] = torch.tensor([1, 1, PADDING])
    mask = layout.dense_mask(docs)
    assert torch.equal(mask, evaluate(layout, docs))
    assert mask[0, 0, :8, :8].all()
    assert not mask[0, 0, :8, 8:].any()
    assert mask[0, 0, 8].tolist() == [True] * 9 + [False] * 2
    assert mask[0, 0, 9].tolist() == [True] * 10 + [False]


def test_marks_share_their_views_block_and_its_rotary_id() -> None:
    kinds: tuple[Kind, ...] = ("M", "V", "M")
    ropes: tuple[RopeRule, ...] = ("noise", "noise", "image")
    view = [
        Segment(kind=kind, expert="sem", length=2, rope=rope, view=0)
        for kind, rope in zip(kinds, ropes, strict=True)
    ]
    text = Segment(kind="L", expert="sem", length=2, rope="text", causal=True)
    layout = Layout((*view, text))
    assert layout.dense_mask()[0, 0, :6, :6].all()
    assert layout.positions(torch.tensor([2])).tolist() == [[0] * 6 + [1, 2]]


def test_grid_ids_are_rows_and_columns() -> None:
    text = Segment(kind="L", expert="sem", length=2, rope="text", causal=True)
    view = Segment(kind="V", expert="sem", length=6, rope="grid", grid=(2, 3))
    ids = Layout((text, view, text)).positions(torch.tensor([2]))
    assert ids[0, 0].tolist() == [0, 1, 2, 2, 2, 2, 2, 2, 5, 6]
    assert ids[1, 0].tolist() == [0, 1, 2, 2, 2, 3, 3, 3, 5, 6]
    assert ids[2, 0].tolist() == [0, 1, 2, 3, 4, 2, 3, 4, 5, 6]


def test_dense_and_compiled_masks_agree(variant: str) -> None:
    vla = micro_vla(variant)
    layout = vla.layout(5)
    docs = torch.zeros(2, layout.length, dtype=torch.long)
    docs[1, layout.span("L")] = torch.tensor([0, 0, 0, PADDING, PADDING])
    dense = layout.dense_mask(docs)
    assert torch.equal(dense, evaluate(layout, docs))
    length = layout.length
    made = create_mask(layout.mask_mod(docs), 2, 1, length, length, device="cpu")
    assert torch.equal(dense, made)
    block = create_block_mask(
        layout.mask_mod(docs), 2, None, length, length, device="cpu", BLOCK_SIZE=16
    )
    tiles = torch.nn.functional.pad(dense, (0, -length % 16, 0, -length % 16))
    any_seen = tiles.unflatten(3, (-1, 16)).unflatten(2, (-1, 16)).any((3, 5))
    assert torch.equal(block.to_dense().bool(), any_seen)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_dense_and_compiled_masks_give_the_same_states(variant: str) -> None:
    vla = micro_vla(variant)
    layout = vla.layout(5)
    docs = torch.zeros(2, layout.length, dtype=torch.long)
    docs[1, layout.span("L")] = torch.tensor([0, 0, 0, PADDING, PADDING])
    rotary = vla.vlm.mot.rotary(layout.positions(torch.tensor([5, 3])))
    widths = {n: vla.vlm.mot.layer(0).expert(n).o.out_features for n in vla.vlm.mot.norms}
    lengths = {n: sum(s.length for s in layout.segments if s.expert == n) for n in widths}
    x = {
        name: torch.randn(2, lengths[name], width, generator=torch.Generator())
        for name, width in widths.items()
    }
    length = layout.length
    block = create_block_mask(layout.mask_mod(docs), 2, None, length, length, device="cpu")
    with torch.no_grad():
        dense = vla.vlm.mot(x, rotary, additive(layout.dense_mask(docs))).hidden
        compiled = vla.vlm.mot(x, rotary, block).hidden
    for name, states in dense.items():
        torch.testing.assert_close(compiled[name], states, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", list(INTERVENTIONS))
def test_an_intervention_hides_its_segments_from_the_actions_alone(variant: str, name: str) -> None:
    vla = micro_vla(variant)
    goals = vla.prediction.seen if vla.prediction else ()
    before = vla.layout(3, goals=goals)
    vla.hidden = INTERVENTIONS[name].hides(vla.config)
    assert bool(vla.hidden) == (
        {"hide_e_dor": vla.config.has_dorsal, "hide_goal": vla.config.dynamics}.get(name, True)
    )
    after = vla.layout(3, goals=goals)
    acting, changed = {"S", "A"}, before.dense_mask()[0, 0] != after.dense_mask()[0, 0]
    for query in after.segments:
        for key in after.segments:
            part = changed[before.span(query.kind), before.span(key.kind)]
            assert part.all() == part.any()
            assert part.any() == (query.kind in acting and key.kind in vla.hidden)


def test_what_is_hidden_has_no_part_in_the_actions() -> None:
    vla = micro_vla("uam")
    batch = make_batch(vla)
    noise = torch.randn(batch.actions.shape, generator=torch.Generator().manual_seed(0))
    shape = vla.goal_noise_shape
    assert shape is not None

    def act(name: str, images: torch.Tensor, seed: int) -> torch.Tensor:
        vla.hidden = INTERVENTIONS[name].hides(vla.config)
        goal = torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed))
        texts = batch.instructions
        return Sampler(vla).sample_actions(images, texts, batch.proprio, noise, goal)

    one, other = batch.images, batch.images.flip(0)
    assert torch.equal(act("hide_goal", one, 1), act("hide_goal", one, 2))
    assert not torch.equal(act("hide_goal", one, 1), act("hide_goal", other, 1))
    assert torch.equal(act("hide_e_dor", one, 1), act("hide_e_dor", one, 2))
    assert not torch.equal(act("hide_e_sem", one, 1), act("hide_e_sem", one, 2))


def test_packed_pairs_are_isolated() -> None:
    layout = Layout(
        (
            Segment(kind="V", expert="sem", length=2),
            Segment(kind="L", expert="sem", length=5, rope="text", causal=True),
        )
    )
    docs = torch.tensor([[0, 0, 1, 1, 2, 2, PADDING]])
    mask = layout.dense_mask(docs)[0, 0]
    assert torch.equal(mask, evaluate(layout, docs)[0, 0])
    assert mask[5].tolist() == [True, True, False, False, True, True, False]


def test_positions_continue_from_each_text() -> None:
    layout = micro_vla("uam").layout(4, goals=["G_t", "G_1"])
    positions = layout.positions(torch.tensor([2, 4]))
    assert positions.shape == (2, layout.length)
    kinds: tuple[Kind, ...] = ("V", "L", "C", "G_t", "G_1", "S", "A")
    starts = {kind: layout.span(kind).start for kind in kinds}
    assert [int(positions[0, i]) for i in starts.values()] == [0, 1, 3, 4, 4, 5, 6]
    assert [int(positions[1, i]) for i in starts.values()] == [0, 1, 5, 6, 6, 7, 8]


def test_span_of_absent_kind() -> None:
    with pytest.raises(ConfigError, match="not adjacent"):
        micro_vla("no_dorsal").layout(2, goals=[]).span("C")
