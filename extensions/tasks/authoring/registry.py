"""The TaskRegistry has functions under `namespace.name`, for workflows that name them by `uses`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from heddle.extensions.tasks.functions import (
    register_function,
    registered_functions,
    unregister_function,
)


class TaskKey(NamedTuple):
    """The name of a registered function. A dotted text is split at its last dot."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "TaskKey":
        """Return the key of a text such as `shop.tasks.total`; raise ValueError if it has no dot."""
        namespace, dot, name = text.rpartition(".")
        if not dot:
            raise ValueError(f'"{text}" is not a name such as namespace.name')
        return cls(namespace, name)

    def __str__(self) -> str:
        """`shop.tasks.total`."""
        return f"{self.namespace}.{self.name}"


class TaskRegistry:
    """The registered functions of this operating-system process."""

    @classmethod
    def register(
        cls, namespace: str, name: str, function: Callable[..., Any], *, override: bool = False
    ) -> None:
        """Register a function; raise ValueError if the name is taken, unless `override` is true."""
        register_function(str(TaskKey(namespace, name)), function, override=override)

    @classmethod
    def unregister(cls, namespace: str, name: str) -> None:
        """Remove a function; raise KeyError if there is none of this name."""
        cls.get(namespace, name)
        unregister_function(str(TaskKey(namespace, name)))

    @classmethod
    def get(cls, namespace: str, name: str) -> Callable[..., Any]:
        """Return a function; KeyError says whether the namespace or the name is unknown."""
        known = registered_functions()
        function = known.get(str(TaskKey(namespace, name)))
        if function is not None:
            return function
        if all(TaskKey.parse(text).namespace != namespace for text in known):
            raise KeyError(f"No such namespace {namespace}")
        raise KeyError(f"No task executor registered for {name}")

    @classmethod
    def get_executor(cls, registered_name: str) -> Callable[..., Any]:
        """Return the function of a name such as `shop.tasks.total`."""
        return cls.get(*TaskKey.parse(registered_name))
