"""An HttpResponse is a map that says that it is a response, whatever a listener makes of other maps."""

from typing import Any


class HttpResponse(dict[str, Any]):
    """A map of `status`, `header` and `body`, each of which may be missing."""

    __slots__ = ()
