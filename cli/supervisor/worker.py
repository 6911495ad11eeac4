"""A worker runs one namespace as one of several: `python -m heddle.cli.supervisor.worker FD`.

It is told over the wire at FD what to do, and ends when the wire does: no worker outlives its supervisor.
"""

import socket
import sys

import msgspec

from heddle.cli.exit_codes import FAILED
from heddle.cli.supervisor.worker_config import Orders
from heddle.specs.model.limits import use_limits


def read_orders(sock: socket.socket) -> Orders:
    """Return the first line, which is there before anything else is explain_error."""
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = sock.recv(65536)
        if not piece:
            raise SystemExit(FAILED)
        data += piece
    return msgspec.json.decode(bytes(data), type=Orders)


def main() -> None:
    """Run what the supervisor orders, to its end; why it could not stands on standard error."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    orders = read_orders(sock)
    use_limits(orders.settings.limits)
    sys.path[:0] = [path for path in orders.path if path not in sys.path]
    from heddle.cli.complaint import complain, explain_error
    from heddle.cli.serve import Serve
    from heddle.cli.supervisor.worker_client import WorkerClient
    from heddle.schemas.errors import SpecError

    try:
        Serve(orders.settings, seat=lambda: WorkerClient(orders, sock)).run()
    except SpecError as error:
        from heddle.cli.views.output import print_problems

        print_problems(error.problems)
        raise SystemExit(FAILED) from None
    except Exception as error:
        complain(explain_error(error))
        raise SystemExit(FAILED) from None


if __name__ == "__main__":
    main()
