"""Whether a Ray cluster takes us, and what is wrong where it does not.

Ray itself asks again for half a minute where nothing listens or a token is wrong, and then says
in both cases that it could not connect.
"""

import re
import socket

import grpc
from ray._private.grpc_utils import init_grpc_channel

CONNECT_SECONDS = 5.0
QUESTION = "/ray.rpc.NodeInfoGcsService/GetClusterId"
"""The first that every client of Ray asks a cluster; the message that asks it is empty."""


class ClusterUnreachable(ConnectionError):
    """No Ray cluster at the address, or none that takes us."""


def ask(address: str) -> None:
    """Ask HOST:PORT whether a Ray cluster is there and our token is its own; else nothing.

    Raises:
        ClusterUnreachable: nothing listens there, or the token is refused.
    """
    host, sign, port = address.rpartition(":")
    if not sign or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterUnreachable(explain(address, error)) from error
    if _refuses_our_token(address):
        raise ClusterUnreachable(
            f"the Ray cluster at {address!r} refuses our token: set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN) to the token that the cluster was started with"
        )


def explain(address: str, error: Exception) -> str:
    """What Ray's error means for somebody who wanted to join the cluster at the address."""
    versions = re.findall(r"Ray: (\S+)\s+Python: (\S+)", str(error))
    if len(versions) == 2:
        there, here = (f"Ray {ray} with Python {python}" for ray, python in versions)
        return (
            f"the Ray cluster at {address!r} has {there}, this process {here}; both must be the "
            "same: install talweg with the same constraints.txt, or start the sweep on the cluster"
        )
    return (
        f"no Ray cluster answers at {address!r} ({error}); start one with "
        "`ray start --head`, or leave --address out to use this machine"
    )


def _refuses_our_token(address: str) -> bool:
    """Whether the cluster's first answer is that it does not know us; no answer is no refusal."""
    with init_grpc_channel(address) as channel:
        try:
            channel.unary_unary(QUESTION)(b"", timeout=CONNECT_SECONDS)
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.UNAUTHENTICATED)
    return False
