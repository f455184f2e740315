// `npm run guard` shortens the script of the guard, which the Go code embeds so. A test holds
// the committed file against this.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const room = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../internal/guard");
export const committed = path.join(room, "guard.min.js");

// shorten returns the script without comments, and with short names.
export async function shorten() {
  const { code } = await minify(readFileSync(path.join(room, "guard.js"), "utf8"), { ecma: 2020, compress: { passes: 3 }, mangle: true });
  return code + "\n";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(committed, await shorten());
