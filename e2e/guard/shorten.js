// `npm run guard` shortens the script of the guard, which the Go code embeds so: what keeps
// cookies alone, what keeps local and session storage, too, and what only monitors. A test holds
// the committed files against this.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const room = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../internal/guard");
const variants = {
  "guard.min.js": { STORAGE: false, MONITORS: false },
  "guard.storage.min.js": { STORAGE: true, MONITORS: false },
  "guard.monitor.min.js": { STORAGE: true, MONITORS: true },
};
export const committed = Object.keys(variants).map((name) => path.join(room, name));

// shorten returns all scripts without comments, and with short names.
export async function shorten() {
  const source = readFileSync(path.join(room, "guard.js"), "utf8");
  return Promise.all(Object.values(variants).map(async (global_defs) => {
    const { code } = await minify(source, { ecma: 2020, compress: { passes: 3, pure_funcs: ["method", "getter"], global_defs }, mangle: true });
    return code + "\n";
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [i, code] of (await shorten()).entries()) writeFileSync(committed[i], code);
}
