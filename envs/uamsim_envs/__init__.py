"""The simulated worlds, as Gymnasium environments.

Importing this package registers the environments of every ``WORLD/registration.py`` in it and
nothing else: MuJoCo is imported by ``gymnasium.make``.
"""

from uamsim.worlds import register_environments

register_environments(__name__)
