"""Heddle: a declarative, hot-reloading workflow runtime for Python.

This is the front door: everything that a program, an extension or a test needs is imported from here.

    from heddle import Extension, Runtime, node

A name is loaded when it is first used, so `import heddle` costs nothing. What is not listed here is private.
"""

from importlib import import_module

__version__ = "0.1.0"

_NAMES: dict[str, tuple[str, ...]] = {
    "extensions.extension": (
        "Action",
        "Answer",
        "Build",
        "ByteStream",
        "Choice",
        "Code",
        "Codec",
        "CompileError",
        "Conversation",
        "Duration",
        "ERROR",
        "Error",
        "Expression",
        "Extension",
        "NodeError",
        "FieldType",
        "Fields",
        "Flow",
        "Handler",
        "Host",
        "IN",
        "Interval",
        "Kind",
        "Language",
        "LanguageName",
        "MissingExtraError",
        "NOTHING",
        "Node",
        "OUT",
        "OptionError",
        "Options",
        "Payload",
        "Port",
        "Process",
        "Program",
        "Reader",
        "Schema",
        "Size",
        "Source",
        "Stream",
        "Tasks",
        "Text",
        "TypeOfCode",
        "FieldError",
        "Visit",
        "about",
        "node",
    ),
    "extensions.manage.system": ("ApiSettings", "system_runtime"),
    "extensions.tasks.authoring.auto_connect": ("AutoConnectError",),
    "extensions.tasks.authoring.inline": ("RunFailedError",),
    "extensions.tasks.authoring.loader": ("load_workflow",),
    "extensions.tasks.authoring.operators": ("TaskGroup", "tasks"),
    "extensions.tasks.authoring.options": ("RetryPolicy", "TaskPriority"),
    "extensions.tasks.authoring.output": ("Output", "broadcast", "cel", "through"),
    "extensions.tasks.authoring.registry": ("TaskKey", "TaskRegistry"),
    "extensions.tasks.authoring.round_trip": ("workflow_of_spec", "yaml_of_workflow"),
    "extensions.tasks.authoring.run_function": ("run",),
    "extensions.tasks.authoring.run_handle": ("RunHandle",),
    "extensions.tasks.authoring.task": ("Task", "TaskExecutorCallable", "task"),
    "extensions.tasks.authoring.workflow": ("Workflow",),
    "extensions.tasks.authoring.workflow_decorator": ("workflow",),
    "extensions.tasks.graph.cycle_error": ("CycleError",),
    "extensions.tasks.run_stores.contract": ("RunRecord", "RunStoreError"),
    "extensions.tasks.run_stores.runs": ("Runs", "open_runs"),
    "extensions.tasks.status": ("RunStatus", "TaskStatus", "Transition"),
    "runtime.assembly.extension": ("ExtensionError", "Registry", "registry"),
    "runtime.assembly.rollout": ("ShiftError",),
    "runtime.assembly.symbol": ("Symbol",),
    "runtime.changes.apply": ("plan_apply",),
    "runtime.changes.plan": ("apply_plan", "plan_delete", "plan_steps"),
    "runtime.changes.rollback": ("plan_rollback",),
    "runtime.changes.wait_live": ("wait_live",),
    "runtime.events.events": ("Event", "Events"),
    "runtime.flow.elsewhere": ("ElsewhereError", "await_program", "once", "resume"),
    "runtime.flow.packet": ("Packet",),
    "runtime.flow.finish": ("finish", "settle"),
    "runtime.flow.shapes": ("many_to_one", "one_to_many", "one_to_one"),
    "runtime.flow.writer": ("ClosedError", "Writer"),
    "runtime.runtime": ("NoSymbolError", "Runtime"),
    "runtime.status.namespace_status": ("NamespaceStatus", "namespace_status"),
    "runtime.status.status": ("Status",),
    "runtime.status.watchdog": ("Watchdog",),
    "schemas.errors": (
        "ConflictError",
        "HeddleError",
        "NotFoundError",
        "SecretError",
        "SpecError",
        "StoreError",
        "UnconfirmedError",
        "RejectedError",
    ),
    "schemas.link": ("DEFAULT_NAMESPACE", "Link"),
    "schemas.page": ("gaps",),
    "schemas.path": ("Path",),
    "schemas.problem": ("Place", "Problem"),
    "specs.binding.bind": ("ValueSet", "bind"),
    "specs.model.accepted": ("AcceptanceStore",),
    "specs.model.keyed": ("KeyedStore",),
    "specs.model.lease": ("Holder", "Lease", "LeaseStore"),
    "specs.model.names": ("named_id", "new_id"),
    "specs.model.report": ("Report", "ReportStore"),
    "specs.model.symbol_status": ("Condition", "SymbolStatus"),
    "specs.model.revision": ("Note", "RevisionStore", "Revision", "RevisionChange"),
    "specs.model.spec": ("Binding", "Spec"),
    "specs.model.store": ("Change", "ChangeSet", "Delete", "Put", "ResumableStore", "Store"),
    "specs.model.value": ("Value", "ValueSource"),
    "specs.secrets.keyring": ("KeyFile", "Keyring"),
    "specs.secrets.seal": ("Key", "new_key"),
    "specs.stores.folder.store": ("FolderStore",),
    "specs.stores.memory": ("MemoryStore",),
    "specs.stores.opener": ("Opener", "Stores", "open_store"),
    "specs.yaml.canonical_form": ("formatted",),
    "specs.yaml.document": ("ReadText", "read_data", "read_path", "read_text"),
}
"""The module below `heddle` that each public name is loaded from."""

_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = sorted([*_HOMES, "__version__"])  # pyright: ignore[reportUnsupportedDunderAll] - __init__.pyi has the names


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'heddle' has no attribute {name!r}")
    loaded = globals()[name] = getattr(import_module(f"heddle.{home}"), name)
    return loaded


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
