"""uvicorn at its fastest: httptools, uvloop, no log, no header that it need not send."""

from typing import Any


def serve(app: Any, port: int) -> None:
    """Serve an app until a signal comes."""
    import uvicorn

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        # The connections rest while the other server has its turn.
        timeout_keep_alive=600,
    )
