// The realm that programs share: what they may use, nothing that they could leave for each other.
//
// Evaluated once for a realm, before any program. It gives a function that hands out, by name,
// what Python calls. Everything of the engine that is used later is taken now, and then all that
// programs can reach is frozen.
(function () {
  "use strict";

  const { parse, stringify } = JSON;
  const { isArray, from } = Array;
  const { join } = Array.prototype;
  const { isSafeInteger } = Number;
  const { freeze, keys, hasOwn, getPrototypeOf, setPrototypeOf } = Object;
  const { defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
  const { fromCharCode } = String;
  const call = Function.prototype.call.bind(Function.prototype.call);
  const then = Promise.prototype.then;
  const resolve = Promise.resolve.bind(Promise);
  const encode64 = btoa;
  const decode64 = atob;

  for (const name of ["Atomics", "SharedArrayBuffer", "WeakRef", "FinalizationRegistry"]) {
    delete globalThis[name];
  }

  // What is set there, the engine keeps for all.
  delete Error.stackTraceLimit;
  delete Error.prepareStackTrace;

  // --- console ------------------------------------------------------------------------------

  const ROOM = 64 * 1024;
  let lines = [];
  let room = ROOM;
  let lost = 0;

  function shown(value, inside) {
    switch (typeof value) {
      case "string":
        return inside ? stringify(value) : value;
      case "bigint":
        return `${value}n`;
      case "function":
        return `[function ${value.name}]`;
      case "object":
        break;
      default:
        return String(value);
    }
    if (value === null) return "null";
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    try {
      const text = stringify(value, (_, each) =>
        typeof each === "bigint" || typeof each === "function" ? shown(each, true) : each,
      );
      return text === undefined ? String(value) : text;
    } catch (error) {
      return `[${error.message}]`;
    }
  }

  function print(level, values) {
    if (room <= 0) {
      lost += 1;
      return;
    }
    let text = "";
    for (let i = 0; i < values.length && text.length <= room; i++) {
      text += (i ? " " : "") + shown(values[i], false);
    }
    if (text.length > room) text = text.slice(0, room) + "…";
    room -= text.length + 1;
    lines.push([level, text]);
  }

  const LEVELS = { debug: "debug", log: "info", info: "info", warn: "warning", error: "error" };
  const console = {};
  for (const name of keys(LEVELS)) {
    console[name] = { [name](...values) { print(LEVELS[name], values); } }[name];
  }
  console.trace = console.debug;
  console.assert = function assert(holds, ...values) {
    if (!holds) print("error", ["assertion failed", ...values]);
  };
  globalThis.console = console;

  function takeLines() {
    if (lost) lines.push(["warning", `${lost} more lines were dropped: one run may print ${ROOM} characters`]);
    const taken = stringify(lines);
    lines = [];
    room = ROOM;
    lost = 0;
    return taken;
  }

  // --- what the engine could not be stopped in -------------------------------------------------

  const MOST = 1e9;

  function guard(name) {
    const native = String.prototype[name];
    const guarded = {
      [name](part, ...rest) {
        if (typeof part === "string" && this != null && part.length * this.length > MOST) {
          throw new RangeError(`${name}: too much text to search`);
        }
        return call(native, this, part, ...rest);
      },
    }[name];
    defineProperty(guarded, "length", { value: native.length, configurable: true });
    defineProperty(String.prototype, name, {
      value: guarded, writable: true, enumerable: false, configurable: true,
    });
  }
  ["indexOf", "lastIndexOf", "includes", "split", "replace", "replaceAll"].forEach(guard);

  // --- payloads -------------------------------------------------------------------------------

  // JSON has no bytes, no long integers and no Errors: these stand under keys that no payload has.
  const BYTES = "\u0000bytes";
  const LONG = "\u0000int";
  const ERROR = "\u0000error";

  // An Error of a flow is a map that reads as its message; flows written for uniflow ask for error().
  const told = {};
  for (const name of ["error", "toString"]) {
    const value = { [name]() { return this.message; } }[name];
    defineProperty(told, name, { value, enumerable: false, configurable: true });
  }
  const AWKWARD = freeze({});
  let finishing = false;

  function awkward(prototype) {
    defineProperty(prototype, "toJSON", {
      value: function toJSON() {
        if (finishing) throw AWKWARD;
        return this;
      },
      writable: true, enumerable: false, configurable: true,
    });
  }
  const TypedArray = getPrototypeOf(Uint8Array);
  [TypedArray.prototype, ArrayBuffer.prototype, DataView.prototype, Map.prototype, Set.prototype].forEach(awkward);

  function bytesOf(text) {
    const raw = decode64(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  }

  function textOf(bytes) {
    let raw = "";
    for (let i = 0; i < bytes.length; i++) raw += fromCharCode(bytes[i]);
    return encode64(raw);
  }

  function revived(value) {
    if (typeof value !== "object" || value === null) return value;
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = revived(value[i]);
      return value;
    }
    if (hasOwn(value, BYTES)) return bytesOf(value[BYTES]);
    if (hasOwn(value, LONG)) return BigInt(value[LONG]);
    if (hasOwn(value, ERROR)) return setPrototypeOf(revived(value[ERROR]), told);
    for (const key of keys(value)) value[key] = revived(value[key]);
    return value;
  }

  function plain(value, above = []) {
    if (typeof value === "bigint") return { [LONG]: String(value) };
    if (typeof value !== "object" || value === null) return value;
    if (above.includes(value)) throw new TypeError("circular reference");
    above.push(value);
    const made = inside(value, (each) => plain(each, above));
    above.pop();
    return made;
  }

  function inside(value, plain) {
    if (isArray(value)) return from(value, plain);
    if (value instanceof Map) {
      const entries = {};
      for (const [key, each] of value) entries[key] = plain(each);
      return entries;
    }
    if (value instanceof Set) return from(value, plain);
    if (value instanceof ArrayBuffer) return { [BYTES]: textOf(new Uint8Array(value)) };
    if (ArrayBuffer.isView(value)) {
      if (value instanceof Uint8Array || value instanceof Uint8ClampedArray || value instanceof DataView) {
        return { [BYTES]: textOf(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
      }
      return from(value, plain);
    }
    if (typeof value.toJSON === "function") return plain(value.toJSON());
    const copy = {};
    for (const key of keys(value)) copy[key] = plain(value[key]);
    return copy;
  }

  /** What leaves: "v" and JSON, or "m" and JSON with marks. */
  function written(value) {
    let text;
    let kind = "v";
    finishing = true;
    try {
      text = stringify(value);
    } catch (error) {
      if (error !== AWKWARD && !(error instanceof TypeError)) throw error;
      finishing = false;
      text = stringify(plain(value));
      kind = "m";
    } finally {
      finishing = false;
    }
    if (text === undefined) {
      if (value !== undefined) throw new TypeError(`the result is a ${typeof value}, not data`);
      text = "null";
    }
    return sent(kind, text);
  }

  /** One text: what it is, "!" where lines were printed, and the text itself, all in one piece. */
  function sent(kind, text) {
    const flag = lines.length ? "!" : ".";
    // The engine hands out no texts that it keeps in pieces, as it does with long ones.
    return text.length < 200 ? kind + flag + text : call(join, [kind, flag, text], "");
  }

  function failed(error) {
    const said = {};
    try {
      if (error instanceof Error) {
        said.message = error.message ? `${error.name}: ${error.message}` : String(error.name);
        said.stack = String(error.stack);
        // Where it was made, not where its class says how such errors are made.
        const own = `    at ${error.constructor.name} (`;
        while (said.stack.startsWith(own) && said.stack.includes("\n")) {
          said.stack = said.stack.slice(said.stack.indexOf("\n") + 1);
        }
        if (typeof error.code === "string") said.code = error.code;
        if (error.data !== undefined) said.data = error.data;
        said.plain = String(error.message);
      } else {
        said.thrown = true;
        said.message = typeof error === "string" ? error : shown(error, false);
        if (error !== null && typeof error === "object") {
          if (typeof error.message === "string") said.message = error.message;
          if (typeof error.code === "string") said.code = error.code;
        }
        said.data = error !== null && typeof error === "object" && "data" in error ? error.data : error;
      }
      return sent("e", stringify(said));
    } catch {
      return sent("e", stringify({ message: String(said.message), stack: String(said.stack) }));
    }
  }

  // --- programs -------------------------------------------------------------------------------

  function require(name) {
    throw new Error(`there is no module "${name}": programs stand alone`);
  }

  /** The function of an expression: where that is a function itself, it is called. */
  function expression(raw) {
    return function (payload) {
      const value = raw(payload, payload);
      return typeof value === "function" ? value(payload) : value;
    };
  }

  /** What a module exports, by running its statements from the start. */
  function exported(raw) {
    const module = { exports: {} };
    const main = raw(module, module.exports, require);
    const all = module.exports;
    if (typeof all === "function") return { value: all };
    if (all !== null && typeof all === "object") {
      if (all.default !== undefined) return { value: all.default };
      if (all.main !== undefined) return { value: all.main };
      if (!all.__esModule && keys(all).length) return { value: all };
    } else if (all !== undefined) {
      return { value: all };
    }
    return main === undefined ? null : { value: main };
  }

  /** The function of a module, whose statements run anew for each packet. */
  function module(raw) {
    return function (payload) {
      const { value } = exported(raw);
      return typeof value === "function" ? value(payload) : value;
    };
  }

  /** "y" where running the statements of a module leaves something to call or to give, else "n". */
  function probe(raw) {
    try {
      return exported(raw) === null ? "n." : "y.";
    } catch (error) {
      return failed(error);
    }
  }

  let outcome = "";

  // Programs stay here and are known outside by their numbers: what Python held, it could let go of in
  // another thread, in the middle of a run.
  const programs = new Map();
  let count = 0;

  function keep(program) {
    count += 1;
    programs.set(count, program);
    return count;
  }

  function drop(number) {
    programs.delete(number);
  }

  function run(number, text, marked) {
    try {
      const program = programs.get(number);
      const payload = parse(text);
      const value = program(marked ? revived(payload) : payload);
      if (value === null || (typeof value !== "object" && typeof value !== "function")) return written(value);
      if (typeof value.then !== "function") return written(value);
      outcome = "";
      call(then, resolve(value),
        (settled) => {
          try {
            outcome = written(settled);
          } catch (error) {
            outcome = failed(error);
          }
        },
        (error) => { outcome = failed(error); },
      );
      return "p.";
    } catch (error) {
      return failed(error);
    }
  }

  const hands = {
    run,
    probe,
    keep,
    drop,
    takeLines,
    outcome: () => outcome,
    expression: (raw) => keep(expression(raw)),
    module: (raw) => keep(module(raw)),
  };

  // --- everything that can be reached is frozen --------------------------------------------------

  // What is inherited cannot be overridden by assignment once it is frozen; for these it must go on
  // to work: `this.name = "SoldOut"` in a class of errors, `point.toString = …`.
  function overridable(object, names) {
    for (const name of names) {
      const found = getOwnPropertyDescriptor(object, name);
      if (!found || !("value" in found)) continue;
      const value = found.value;
      defineProperty(object, name, {
        get() { return value; },
        set(given) {
          if (this === object) throw new TypeError(`${String(name)} of a built-in object cannot be changed`);
          defineProperty(this, name, { value: given, writable: true, enumerable: true, configurable: true });
        },
        enumerable: false,
        configurable: false,
      });
    }
  }
  overridable(Object.prototype, ["constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable"]);
  overridable(Function.prototype, ["constructor", "toString", "call", "apply", "bind"]);
  for (const name of ownKeys(globalThis)) {
    const made = globalThis[name];
    if (typeof made === "function" && made.prototype instanceof Error) {
      overridable(made.prototype, ["constructor", "name", "message", "toString"]);
    }
  }
  overridable(Error.prototype, ["constructor", "name", "message", "toString"]);
  overridable(Array.prototype, ["constructor", "toString"]);
  overridable(told, ["error", "toString"]);
  overridable(Promise.prototype, ["constructor", "then"]);
  overridable(Date.prototype, ["constructor", "toString", "toJSON"]);

  const seen = new Set();
  const waiting = [
    globalThis,
    told,
    function () {},
    async function () {},
    function* () {},
    async function* () {},
    (function* () {})(),
    (async function* () {})(),
    [][Symbol.iterator](),
    ""[Symbol.iterator](),
    new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](),
    "".matchAll(/./g),
    [].values().map((each) => each),
    Iterator.from({ next() { return { done: true }; } }),
    (() => {}).constructor,
  ];
  while (waiting.length) {
    const object = waiting.pop();
    if (object === null || (typeof object !== "object" && typeof object !== "function")) continue;
    if (seen.has(object)) continue;
    seen.add(object);
    waiting.push(getPrototypeOf(object));
    for (const key of ownKeys(object)) {
      const { value, get, set } = getOwnPropertyDescriptor(object, key);
      waiting.push(value, get, set);
    }
  }
  for (const object of seen) freeze(object);

  return (name) => hands[name];
})()
