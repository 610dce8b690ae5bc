"""What things and arms have to agree on to touch each other."""

FINGER_TIP = 0.012
"""How far the finger tips of ALOHA's grippers reach beyond the point between them (m)."""
TABLE_BIT, THING_BIT, FINGER_BIT = 1, 2, 4
"""Collision classes: only fingers and things collide; arm links do not."""
