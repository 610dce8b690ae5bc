"""The variants: six rows of Table 1 of the UAM paper, and the MLP head of its Table 3."""

import dataclasses
from dataclasses import dataclass

from uamsim.models.config import DorsalInit, VLAConfig
from uamsim.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row: how the dorsal expert is fed, initialised and supervised, and what acts."""

    title: str
    summary: str
    dorsal_input: str = "none"
    dorsal_init: DorsalInit = "none"
    dynamics: bool = False
    action_head: str = "flow"
    predicts: str = "latents"

    def apply(self, config: VLAConfig) -> VLAConfig:
        """``config`` turned into this variant, all sizes kept."""
        return dataclasses.replace(
            config,
            dorsal_input=self.dorsal_input,
            dorsal_init=self.dorsal_init,
            dynamics=self.dynamics,
            action_head=self.action_head,
            predicts=self.predicts,
        )


VARIANTS: Registry[Variant] = Registry("variant")
VARIANTS.add("no_dorsal", Variant(title="No dorsal expert", summary="2 experts, as pi0"))
VARIANTS.add(
    "random_init",
    Variant(
        title="Random init",
        summary="E_dor from random weights",
        dorsal_input="vit",
        dorsal_init="random",
    ),
)
VARIANTS.add(
    "vlm_init_vision",
    Variant(
        title="VLM init, vision (2a)",
        summary="E_dor a copy of E_sem, ViT tokens",
        dorsal_input="vit",
        dorsal_init="vlm",
    ),
)
VARIANTS.add(
    "vlm_init_query",
    Variant(
        title="VLM init, query (2b)",
        summary="E_dor a copy of E_sem, learnable queries",
        dorsal_input="query",
        dorsal_init="vlm",
    ),
)
VARIANTS.add(
    "gen_init",
    Variant(
        title="Gen init (3a)",
        summary="E_dor from the generator, VAE tokens",
        dorsal_input="vae",
        dorsal_init="generator",
    ),
)
VARIANTS.add(
    "uam",
    Variant(
        title="UAM (3b)",
        summary="E_dor from the generator, with dynamics",
        dorsal_input="vae",
        dorsal_init="generator",
        dynamics=True,
    ),
)
TABLE_1: tuple[str, ...] = tuple(VARIANTS)
VARIANTS.add(
    "mlp_head",
    Variant(
        title="MLP head",
        summary="E_sem alone, an MLP on one action token, as VLM4VLA",
        action_head="mlp",
    ),
)
