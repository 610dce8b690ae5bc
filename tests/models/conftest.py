import pytest
import torch

from uamsim.models.variants import VARIANTS

torch.set_num_threads(1)


@pytest.fixture(params=list(VARIANTS))
def variant(request: pytest.FixtureRequest) -> str:
    return request.param
