"""A foreign simulator in a process and a virtual environment of its own.

``client`` is the user's side, ``serve`` the simulator's, ``wire`` what they say to each other. The
simulator's interpreter has other packages than the user's: ``wire``, ``serve`` and every module
that runs beside a simulator import the standard library, numpy and that simulator, nothing else.
"""
