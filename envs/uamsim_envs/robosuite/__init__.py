"""robosuite's tasks as Gymnasium environments; the simulator runs in a host process.

Only what is under ``host`` imports robosuite, and it runs in robosuite's own environment.
"""
