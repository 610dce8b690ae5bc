"""`uamsim serve`: a policy behind a websocket, or its VLM behind OpenAI's chat completions."""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from uamsim.bounds import Depth, check_bounds
from uamsim.contract import Policy, PolicySpec
from uamsim.errors import ConfigError
from uamsim.serving.chat_requests import ChatLimits
from uamsim.serving.refs import PythonFactory
from uamsim.serving.server import PolicyServer, ServeConfig

TOKEN_VARIABLE = "UAMSIM_TOKEN"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Command:
    """Serves one policy until Ctrl-C; requests in progress are still answered.

    Attributes:
        policy: a checkpoint (.safetensors), file.py:NAME or module:NAME of a class in Python, or
            "random".
        chat: answers questions with the VLM inside the checkpoint, at /v1/chat/completions.
        device: where a checkpoint runs.
        threads: CPU threads of the policy; on a machine with other work, more of them are slower.
        serve: the server.
        limits: of a request to ``--chat``.
        random: what the random policy claims to need.
    """

    policy: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="POLICY")]
    chat: bool = False
    device: str = "cpu"
    threads: Depth = 1
    serve: Annotated[ServeConfig, tyro.conf.arg(name="")] = field(default_factory=ServeConfig)
    limits: ChatLimits = field(default_factory=ChatLimits)
    random: PolicySpec = field(
        default_factory=lambda: PolicySpec(
            cameras=("primary",), image_size=(96, 96), control="ee", horizon=24
        )
    )

    def __post_init__(self) -> None:
        check_bounds(self)


def main(argv: Sequence[str]) -> int:
    """Runs the verb.

    Args:
        argv: the words after ``uamsim serve``.

    Returns:
        The exit status: 0 once it was told to stop.

    Raises:
        UamsimError: with a message for the user.
    """
    command = tyro.cli(
        Command,
        prog="uamsim serve",
        description="Serves a policy to websocket clients with openpi's protocol, or with --chat "
        "the VLM inside a checkpoint to clients of OpenAI's chat completions. The "
        f"environment variable {TOKEN_VARIABLE}, if set, is the token that clients must send.",
        args=list(argv),
    )
    token = os.environ.get(TOKEN_VARIABLE) or None
    if command.chat:
        return _chat(command, token)
    policy = load(command)
    server = PolicyServer(policy, command.serve, token=token)
    _start_logging(command, token)
    spec, config = policy.spec, command.serve
    rate = "" if spec.control_hz is None else f" at {spec.control_hz:g} Hz"

    def on_ready(address: str) -> None:
        print(
            f"Serving {policy.name!r} on {address}; Ctrl-C stops.\n"
            f"  needs:   {', '.join(spec.cameras)} as uint8 {(*spec.image_size, 3)}, agent_pos "
            f"({spec.proprio_dim}), prompt\n"
            f"  answers: {spec.horizon} actions{rate}, control={spec.control!r}\n"
            f"  batches: {config.batch_size}, after {config.max_wait_s * 1000:g} ms at most",
            flush=True,
        )

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await server.run(stop, on_ready)

    asyncio.run(run())
    print("Stopped.", flush=True)
    return 0


def _start_logging(command: Command, token: str | None) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    if command.serve.host not in LOOPBACK and token is None:
        logging.getLogger("uamsim.serving").warning(
            "other machines can reach this server and need no token; set %s.", TOKEN_VARIABLE
        )


def _chat(command: Command, token: str | None) -> int:
    try:
        from uamsim.serving.chat import ChatServer, run
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--chat needs {error.name}, which is not installed; pip install 'uamsim[chat]'."
        ) from error
    from uamsim.runtime import limit_threads
    from uamsim.serving.chat_model import ChatModel

    limit_threads(command.threads)
    model = ChatModel(Path(command.policy), device=command.device)
    config = command.serve
    server = ChatServer(model, command.limits, batch_size=config.batch_size, token=token)
    _start_logging(command, token)
    run(server, host=config.host, port=config.port, grace_s=config.grace_s)
    print("Stopped.", flush=True)
    return 0


def load(command: Command) -> Policy:
    """The policy that the command names.

    Raises:
        ConfigError: it names a privileged policy, or no thread is left for one.
        CheckpointError: no policy is there.
        UamsimError: as ``PythonFactory``.
    """
    if command.policy == "random":
        from uamsim.evaluation.controls import RandomPolicy

        return RandomPolicy(command.random)
    if command.policy == "expert":
        raise ConfigError(
            "an expert reads the simulator's state, which no client sends; serve a checkpoint or "
            "random."
        )
    if ":" in command.policy and not Path(command.policy).exists():
        return PythonFactory(where=command.policy)()
    from uamsim.runtime import limit_threads
    from uamsim.serving.policy import VLAPolicy

    limit_threads(command.threads)
    return VLAPolicy(Path(command.policy), device=command.device)
