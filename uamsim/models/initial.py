"""What a variant starts from: a VLM, a VAE and a generator that were trained before."""

from collections.abc import Mapping

from torch import Tensor

from uamsim.errors import ConfigError
from uamsim.models.generator import copy_sem_to_dorsal, is_dorsal
from uamsim.models.state import Selected, assign
from uamsim.models.vla import VLA


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
    if model.config.dorsal_input == "vae":
        if vae_state is None:
            raise ConfigError("E_dor reads VAE tokens, so vae_state is needed; got None.")
        assign(model.vae.state_dict(), vae_state, "the VAE")
    if model.config.dorsal_init == "vlm":
        copy_sem_to_dorsal(model.vlm)
        if model.config.dorsal_input == "vit":
            connector = dict(model.dorsal_connector.named_parameters())
            assign(connector, dict(model.vlm.connector.named_parameters()), "E_dor's connector")
    elif model.config.dorsal_init == "generator":
        if generator_state is None:
            raise ConfigError("E_dor starts from a generator; generator_state is None.")
        own = {n: p for n, p in model.named_parameters() if is_dorsal(n)}
        assign(own, Selected(generator_state, is_dorsal), "E_dor")
