"""A world of somebody else's; importing it registers its environment."""

from uamsim.worlds import register_environments

register_environments(__name__)
