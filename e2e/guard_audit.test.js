// An audit through Chromium tells what the guard has stopped, by code that knows nothing of the
// guard: of the same pages, with the guard and without.
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
</script>`;

const site = (port, option) => `http://localhost:${port} {
	cookie_charter {
		preset matomo
		cookie needed {
			purpose "Is there in any case"
			category necessary
		}
		storage ph_* {
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
    binary = buildCaddy(folder);
    for (const name of ["guarded", "plain"]) ports[name] = await freePort();
    const file = path.join(folder, "Caddyfile");
    writeFileSync(file, `{
	admin off
	auto_https off
	persist_config off
	storage file_system ${folder}/storage
}
${site(ports.guarded, "guard")}${site(ports.plain, "")}`);
    caddy = await runCaddy(binary, file, {}, ports.guarded);
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

  test("with the guard, and without", async () => {
    const [guarded, plain] = await Promise.all([audit(ports.guarded), audit(ports.plain)]);
    const undeclared = ["cookie framed undeclared", "cookie stored undeclared", "cookie unknown undeclared"];
    const refused = ["cookie _pk_id.1.1fff refused", "cookie _pk_ses.1.1fff refused", ...undeclared, "item ph_one refused"];
    assert.deepEqual(stopped(guarded), { first: refused, refused, accepted: undeclared, withdrawn: refused });
    assert.deepEqual(guarded.findings, [], "and nothing of it is there");

    assert.deepEqual(stopped(plain), { first: [], refused: [], accepted: [], withdrawn: [] });
    assert.deepEqual([...new Set(plain.findings.map(({ name }) => name))].sort(), ["_pk_id.1.1fff", "_pk_ses.1.1fff", "framed", "stored", "unknown"]);
  });
});
