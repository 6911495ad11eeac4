"""The types of the front door: the same names as in __init__.py."""

from heddle.extensions.extension import (
    Action as Action,
    Answer as Answer,
    Build as Build,
    ByteStream as ByteStream,
    Choice as Choice,
    Code as Code,
    Codec as Codec,
    CompileError as CompileError,
    Conversation as Conversation,
    Duration as Duration,
    ERROR as ERROR,
    Error as Error,
    Expression as Expression,
    Extension as Extension,
    Failure as Failure,
    FieldType as FieldType,
    Fields as Fields,
    Flow as Flow,
    Handler as Handler,
    Host as Host,
    IN as IN,
    Interval as Interval,
    Kind as Kind,
    Language as Language,
    LanguageName as LanguageName,
    MissingExtra as MissingExtra,
    NOTHING as NOTHING,
    Node as Node,
    OUT as OUT,
    OptionError as OptionError,
    Options as Options,
    Payload as Payload,
    Port as Port,
    Process as Process,
    Program as Program,
    Reader as Reader,
    Schema as Schema,
    Size as Size,
    Text as Text,
    Unfit as Unfit,
    Visit as Visit,
    about as about,
    node as node,
)
from heddle.extensions.manage.system import Serving as Serving, system_runtime as system_runtime
from heddle.runtime.assembly.extension import (
    ExtensionError as ExtensionError,
    Registry as Registry,
    registry as registry,
)
from heddle.runtime.assembly.rollout import ShiftError as ShiftError
from heddle.runtime.assembly.symbol import Symbol as Symbol
from heddle.runtime.changes.apply import plan_apply as plan_apply
from heddle.runtime.changes.plan import (
    apply_plan as apply_plan,
    plan_delete as plan_delete,
    plan_steps as plan_steps,
)
from heddle.runtime.changes.rollback import plan_rollback as plan_rollback
from heddle.runtime.events.events import Event as Event, Events as Events
from heddle.runtime.flow.packet import Packet as Packet
from heddle.runtime.flow.process import finish as finish, settle as settle
from heddle.runtime.flow.shapes import (
    many_to_one as many_to_one,
    one_to_many as one_to_many,
    one_to_one as one_to_one,
)
from heddle.runtime.flow.writer import Closed as Closed, Writer as Writer
from heddle.runtime.runtime import NoSymbol as NoSymbol, Runtime as Runtime
from heddle.runtime.status.status import Status as Status
from heddle.runtime.status.watchdog import Watchdog as Watchdog
from heddle.schemas.errors import (
    Conflict as Conflict,
    HeddleError as HeddleError,
    NotFound as NotFound,
    SecretError as SecretError,
    SpecError as SpecError,
    StoreError as StoreError,
)
from heddle.schemas.link import DEFAULT_NAMESPACE as DEFAULT_NAMESPACE, Link as Link
from heddle.schemas.path import Path as Path
from heddle.schemas.problem import Place as Place, Problem as Problem
from heddle.specs.binding.bind import Values as Values, bind as bind
from heddle.specs.model.names import named_id as named_id, new_id as new_id
from heddle.specs.model.report import (
    Condition as Condition,
    Report as Report,
    Reporting as Reporting,
    SymbolReport as SymbolReport,
)
from heddle.specs.model.revision import (
    Note as Note,
    Recording as Recording,
    Revision as Revision,
    Turn as Turn,
)
from heddle.specs.model.spec import Binding as Binding, Spec as Spec
from heddle.specs.model.store import (
    Change as Change,
    ChangeSet as ChangeSet,
    Delete as Delete,
    Put as Put,
    Store as Store,
)
from heddle.specs.model.value import Source as Source, Value as Value
from heddle.specs.secrets.keyring import KeyFile as KeyFile, Keyring as Keyring
from heddle.specs.secrets.seal import Key as Key, new_key as new_key
from heddle.specs.stores.folder.store import FolderStore as FolderStore
from heddle.specs.stores.memory import MemoryStore as MemoryStore
from heddle.specs.stores.opener import Opener as Opener, Stores as Stores, open_store as open_store
from heddle.specs.yaml.canonical_form import formatted as formatted
from heddle.specs.yaml.document import (
    Reading as Reading,
    read_data as read_data,
    read_path as read_path,
    read_text as read_text,
)

__version__: str
