"""Names of policies as JSON values; nothing here imports torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PolicyRef:
    """Where a policy's weights are.

    Attributes:
        checkpoint: a VLA checkpoint.
        restore_e_sem_from: a VLM checkpoint whose E_sem is put back after loading (the restored
            probe), or None.
        device: where it runs.
    """

    checkpoint: str
    restore_e_sem_from: str | None = None
    device: str = "cpu"
