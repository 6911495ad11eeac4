"""The Errors of files and texts, with stable codes."""

import errno

from heddle.extensions.extension import Error, NodeError

_CODES = {
    errno.ENOENT: "not-found",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
    errno.EEXIST: "exists",
    errno.EISDIR: "folder",
    errno.ENOTDIR: "not-found",
    errno.ENOSPC: "full",
    errno.EROFS: "forbidden",
}


def rejected(message: str, code: str = "data") -> NodeError:
    """Return a packet that cannot be worked on."""
    return NodeError(Error(message, code=code))


def of_system(path: str, error: OSError) -> NodeError:
    """Return what the system says of a file, with the path as it was asked for."""
    reason = (error.strerror or str(error)).lower()
    code = _CODES.get(error.errno or 0, "failed")
    return NodeError(Error(f"{path}: {reason}", code=code, cause=error))
