"""Acting: compiled, and with weights of bfloat16."""

import functools

import pytest
import torch

from uamsim.models.sampling import Sampler
from uamsim.testing.models import make_batch, micro_vla


def act(sampler: Sampler, size: int = 3) -> torch.Tensor:
    batch = make_batch(sampler.model)
    noise = torch.randn(batch.actions.shape, generator=torch.Generator().manual_seed(2))
    return sampler.sample_actions(
        batch.images[:size], batch.instructions[:size], batch.proprio[:size], noise[:size]
    )


@pytest.mark.parametrize("name", ["mlp_head", "vlm_init_query", "uam"])
def test_both_passes_compile_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Sampler(micro_vla(name))
    plain = act(sampler)
    # Dynamo alone, without code generation, which takes minutes; it fails where Python breaks in.
    compiled: list[str] = []

    def capture(graph: torch.fx.GraphModule, inputs: list[torch.Tensor], options: object) -> object:
        del inputs, options
        compiled.append("graph")
        return graph.forward

    whole = functools.partial(torch.compile, backend=capture, fullgraph=True)
    monkeypatch.setattr(torch, "compile", whole)
    sampler.compile(torch.device("cpu"))
    torch.testing.assert_close(act(sampler), plain, atol=1e-6, rtol=1e-6)
    # One graph for the prefix, one for all action steps.
    assert len(compiled) == 2
    act(sampler)
    assert len(compiled) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler about itself
def test_compiled_passes_act_alike() -> None:
    """With code generated, of two experts and the flow head; all of UAM's is captured above."""
    sampler = Sampler(micro_vla("no_dorsal"))
    plain = act(sampler)
    sampler.compile(torch.device("cpu"))
    torch.testing.assert_close(act(sampler), plain, atol=1e-5, rtol=1e-5)


def test_weights_of_bfloat16_act(variant: str) -> None:
    vla = micro_vla(variant)
    plain = act(Sampler(vla))
    half = act(Sampler(vla.to(torch.bfloat16)))
    assert half.dtype == torch.float32
    assert vla.vlm.embed.weight.dtype == torch.bfloat16
    if variant == "pi0_fast":
        return  # Random weights say no chunk.
    difference = (half - plain).abs().mean() / plain.abs().mean()
    assert difference < 0.1
