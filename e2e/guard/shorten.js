// `npm run guard` shortens the script of the guard, which the Go code embeds so: once
// without what keeps local and session storage, and once with. A test holds the committed files
// against this.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const room = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../internal/guard");
export const committed = [path.join(room, "guard.min.js"), path.join(room, "guard.storage.min.js")];

// shorten returns both scripts without comments, and with short names.
export async function shorten() {
  const source = readFileSync(path.join(room, "guard.js"), "utf8");
  return Promise.all([false, true].map(async (STORAGE) => {
    const { code } = await minify(source, { ecma: 2020, compress: { passes: 3, global_defs: { STORAGE } }, mangle: true });
    return code + "\n";
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [i, code] of (await shorten()).entries()) writeFileSync(committed[i], code);
}
