"""A simulator that does what a test asks of it."""

import ctypes
import os
import sys
import time

import numpy as np

from uamsim.errors import SceneError


class Fake:
    def __init__(self):
        print("a line on stdout", flush=True)
        self.closed_file = ""

    def echo(self, value):
        return value

    def pid(self):
        return os.getpid()

    def modules(self):
        return sorted(sys.modules)

    def picture(self, height, width, level):
        pixels = np.full((height, width, 3), level, np.uint8)
        pixels[0, 0] = (1, 2, 3)
        return {"pixels": {"one": pixels, "two": pixels[::2]}, "state": np.arange(3.0)}

    def hang(self):
        print("about to hang", file=sys.stderr, flush=True)
        time.sleep(60)

    def hang_with_the_lock(self):
        ctypes.PyDLL(None).sleep(60)

    def die(self, status):
        print("about to die", file=sys.stderr, flush=True)
        os._exit(status)

    def crash(self):
        os.kill(os.getpid(), 11)

    def fail(self):
        raise ValueError("no such thing")

    def no_room(self):
        raise SceneError("there is no room")

    def unsendable(self):
        return {1, 2}

    def chatter(self, num_bytes):
        sys.stderr.write("x" * num_bytes + "\n")
        sys.stderr.flush()

    def garble(self):
        """Writes what is no message to the channel."""
        for fd in map(int, os.listdir("/proc/self/fd")):
            if os.path.exists(f"/proc/self/fd/{fd}"):
                link = os.readlink(f"/proc/self/fd/{fd}")
                if link.startswith("socket:"):
                    os.write(fd, b"GET / HTTP/1.1\r\n\r\n" * 4)

    def close_into(self, path):
        self.closed_file = path

    def close(self):
        if self.closed_file:
            with open(self.closed_file, "w") as file:
                file.write("closed")

    def _secret(self):
        return 1


def not_a_simulator():
    raise OSError("no scene file")
