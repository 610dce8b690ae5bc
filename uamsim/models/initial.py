"""What a variant starts from: a VLM, a VAE and a generator that were trained before."""

from collections.abc import Mapping

from torch import Tensor

from uamsim.errors import ConfigError
from uamsim.models.generator import copy_sem_to_dorsal, is_dorsal
from uamsim.models.state import Selected, assign
from uamsim.models.vla import VLA
from uamsim.models.wiring import DOR


def init_from(
    model: VLA,
    vlm_state: Mapping[str, Tensor],
    vae_state: Mapping[str, Tensor] | None = None,
    generator_state: Mapping[str, Tensor] | None = None,
) -> None:
    """Starts from pretrained models, as ``config.dorsal_init`` says.

    Args:
        model: the variant.
        vlm_state: a VLM's state.
        vae_state: a VAE's state, needed where E_dor reads VAE tokens.
        generator_state: ``Generator.dorsal_state()``, or its whole state.

    Raises:
        CheckpointError: weights of other sizes.
        ConfigError: weights that this variant needs were not given.
    """
    assign(dict(model.vlm.sem_parameters()), vlm_state, "E_sem")
    if model.config.reads_latents:
        if vae_state is None:
            raise ConfigError("this variant has a VAE, so vae_state is needed; got None.")
        assign(model.vae.state_dict(), vae_state, "the VAE")
    copied = model.config.copied
    if model.config.dorsal_init == "vlm":
        copy_sem_to_dorsal(model.vlm)
    elif model.config.dorsal_init == "generator":
        if generator_state is None:
            raise ConfigError("E_dor starts from a generator; generator_state is None.")

        def taken(name: str) -> bool:
            return is_dorsal(name) and (f".{DOR}." in name or name.partition(".")[0] in copied)

        own = {n: p for n, p in model.named_parameters() if taken(n)}
        assign(own, Selected(generator_state, taken), "E_dor")
    for layer, source in copied.items():
        if not is_dorsal(f"{layer}."):
            ours, theirs = model.get_submodule(layer), model.vlm.get_submodule(source)
            assign(ours.state_dict(), theirs.state_dict(), f"E_dor's {layer}")
