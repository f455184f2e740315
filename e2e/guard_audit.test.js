// An audit through Chromium tells what the guard has stopped, and what scripts have stored, by code
// that knows nothing of the guard: of the same pages, with the guard and without.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { buildCaddy, end, freePort, runCaddy } from "./parts.js";

// What the portal's page writes by scripts: in each visit, one that no row declares, and where
// refused, one of a tracker; by document.cookie, cookieStore, in a frame, and as stored items.
const page = `<!DOCTYPE html><title>Portal</title><script>
  document.cookie = "needed=1; path=/";
  document.cookie = "unknown=1; path=/; expires=" + new Date(Date.now() + 9e6).toUTCString();
  document.cookie = "_pk_id.1.1fff=1; path=/; max-age=999";
  document.cookie = "nothing=; path=/; max-age=0";
  cookieStore.set("stored", "1").catch(() => {});
  cookieStore.set({ name: "_pk_ses.1.1fff", value: "1" }).catch(() => {});
  const frame = document.head.appendChild(document.createElement("iframe"));
  frame.contentDocument.cookie = "framed=1; path=/";
  localStorage.setItem("ph_one", "1");
  sessionStorage.setItem("state", "1");
  localStorage.setItem("mine", "1");
  localStorage.setItem("dossier-2026-0042", "1");
  try { indexedDB.open("stats-db"); } catch {} // as where browsers allow no storage
  Storage.prototype.key = () => "mine"; // which does not deceive the audit
  IDBFactory.prototype.databases = async () => [];
</script>`;

const site = (port, option) => `http://localhost:${port} {
	cookie_charter {
		preset matomo
		cookie needed {
			purpose "Is there in any case"
			category necessary
		}
		storage ph_* stats-db {
			purpose "Counts visits"
			category statistics
		}
		storage state {
			purpose "Remembers"
			category necessary
		}
		preference charter
		${option}
	}
	header Content-Type text/html
	respond \`${page}\`
}
`;

describe("an audit of what the guard stops", () => {
  let folder, binary, caddy;
  const ports = {};
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
    binary = buildCaddy();
    for (const name of ["guarded", "plain"]) ports[name] = await freePort();
    const file = path.join(folder, "Caddyfile");
    writeFileSync(file, `{
	admin off
	auto_https off
	persist_config off
	storage file_system ${folder}/storage
}
${site(ports.guarded, "guard")}${site(ports.plain, "")}`);
    caddy = await runCaddy(binary, file, {}, Object.values(ports));
  });
  after(async () => {
    if (caddy) await end(caddy);
    rmSync(folder, { recursive: true, force: true });
  });

  const run = promisify(execFile);
  const audit = async (port) => {
    const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : [];
    const { stdout } = await run(binary, ["cookie-charter", "audit", `http://localhost:${port}/`, "--browser", ...sandbox, "--pages", "1", "--wait", "300ms", "--format", "json"])
      .catch((error) => { if (error.code !== 2) throw error; return error; }); // violations
    return JSON.parse(stdout);
  };
  const stopped = (report) => Object.fromEntries(report.visits.map(({ visit, stopped = [] }) => [visit, stopped.map(({ kind, name, verdict }) => `${kind} ${name} ${verdict}`)]));
  const stored = (report) => report.visits.map(({ items }) => items.map(({ name, storage, verdict }) => `${storage} ${name} ${verdict}`));

  test("with the guard, and without", async () => {
    const [guarded, plain] = await Promise.all([audit(ports.guarded), audit(ports.plain)]);
    const undeclared = ["cookie framed undeclared", "cookie stored undeclared", "cookie unknown undeclared"];
    const refused = ["cookie _pk_id.1.1fff refused", "cookie _pk_ses.1.1fff refused", ...undeclared, "item ph_* refused"];
    assert.deepEqual(stopped(guarded), { first: refused, refused, accepted: undeclared, withdrawn: refused });
    // A database can be about to be deleted when the only page after withdrawal is left.
    const found = (report) => report.findings.filter(({ storage }) => storage !== "indexedDB");
    assert.deepEqual(found(guarded), [], "and nothing of it is there");
    const harmless = ["localStorage dossier-* undeclared", "localStorage mine undeclared", "sessionStorage state allowed"];
    const tracking = (verdict) => [harmless[0], harmless[1], `localStorage ph_* ${verdict}`, harmless[2], `indexedDB stats-db ${verdict}`];
    assert.deepEqual(stored(guarded).slice(0, 3), [harmless, harmless, tracking("allowed")]);
    assert.deepEqual(guarded.visits.slice(0, 2).flatMap(({ items }) => items.flatMap(({ violations }) => violations)), []);

    assert.deepEqual(stopped(plain), { first: [], refused: [], accepted: [], withdrawn: [] });
    assert.deepEqual([...new Set(plain.findings.map(({ name }) => name))].sort(), ["_pk_id.1.1fff", "_pk_ses.1.1fff", "framed", "ph_*", "stats-db", "stored", "unknown"]);
    assert.deepEqual(stored(plain), [tracking("refused"), tracking("refused"), tracking("allowed"), tracking("refused")]);
    const what = (name) => plain.findings.find((finding) => finding.name === name);
    const violations = [["first", "set before consent"], ["refused", "set after refusal"], ["withdrawn", "kept after withdrawal"]].map(([visit, violation]) => ({ visit, violation }));
    assert.deepEqual([what("ph_*"), what("stats-db")], [{ kind: "item", name: "ph_*", storage: "localStorage", violations }, { kind: "item", name: "stats-db", storage: "indexedDB", violations }]);
    assert.doesNotMatch(JSON.stringify(plain), /ph_one|0042/, "a report has no keys that can be somebody's");
  });
});
