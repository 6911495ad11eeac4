import {transform} from "sucrase";
globalThis.transform = function (code, typescript, module) {
  const transforms = [];
  if (typescript) transforms.push("typescript");
  if (module) transforms.push("imports");
  globalThis.furthest = -1;
  globalThis.message = "";
  try {
    // In one piece: the engine hands out no texts that it keeps in several.
    return [transform(code, {transforms, disableESTransforms: true, production: true}).code].join("");
  } catch (error) {
    if (globalThis.furthest < 0) throw error;
    const before = code.slice(0, globalThis.furthest).split("\n");
    throw new SyntaxError(
      `${globalThis.message} (${before.length}:${before[before.length - 1].length + 1})`,
    );
  }
};
