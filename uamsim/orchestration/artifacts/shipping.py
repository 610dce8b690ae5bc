"""Copies the pretrained models of an experiment into the package, where a first run finds them.

python -m uamsim.orchestration.artifacts.shipping dorsal_sweep --scale tiny
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from uamsim.errors import DatasetError, UamsimError
from uamsim.orchestration.artifacts import stages
from uamsim.orchestration.artifacts.store import RECIPE_FILE, SHIPPED_ROOT, ArtifactStore
from uamsim.orchestration.experiments import build_experiment
from uamsim.orchestration.spec import ExperimentSpec
from uamsim.storage import read_json, storage_errors, write_json


def ship(
    spec: ExperimentSpec, store: ArtifactStore, destination: Path = SHIPPED_ROOT
) -> list[Path]:
    """Copies the models that are in the store, and removes shipped ones of other recipes.

    Args:
        spec: whose models.
        store: where they were made; one that looks at no shipped models.
        destination: the package's folder.

    Returns:
        The shipped folders.

    Raises:
        DatasetError: a model was not made yet; says how to make it.
        StorageError: the destination cannot be written.
    """
    command = f"uamsim experiment {spec.name} --scale {spec.scale} --pretrain"
    found, recipes = {}, stages.recipes(spec)
    for kind in stages.SHIPPED:
        path = store.find(recipes[kind])
        if path is None:
            raise DatasetError(f"the {kind} was not made yet. Make it with: {command}")
        found[kind] = path
    shipped = []
    with storage_errors(destination):
        for kind, path in found.items():
            target = destination / path.name
            if path.resolve() != target.resolve():
                for old in destination.glob(f"{kind}-*"):
                    shutil.rmtree(old)
                _copy(path, target)
            record = read_json(target / RECIPE_FILE)
            write_json(target / RECIPE_FILE, {**record, "made_for": None, "made_with": command})
            shipped.append(target)
    return shipped


def _copy(path: Path, target: Path) -> None:
    """The artifact's own files, without what readers cached beside them."""
    for name in [*read_json(path / RECIPE_FILE)["contents"], RECIPE_FILE]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path / name, target / name)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command in this module's docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("experiment")
    parser.add_argument("--scale", default="tiny")
    parser.add_argument("--cache", type=Path, default=None, help="root of the artifact store")
    options = parser.parse_args(argv)
    try:
        spec = build_experiment(options.experiment, options.scale)
        # A folder without artifacts in the place of the shipped ones: copy what was made.
        store = ArtifactStore(options.cache, shipped=Path("/nonexistent"))
        for path in ship(spec, store):
            size = sum(file.stat().st_size for file in path.iterdir())
            print(f"{path} ({size / 1e6:.1f} MB)")
    except UamsimError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
