// A disk that is really full: visitors' pages and choices go on, the operator is
// told, and what was missing is written once there is room.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { accepts, buildCaddy, end, freePort, until } from "./parts.js";

let folder, binary, caddy, address, admin, config, disk;
let log = "";

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-disk-"));
  binary = buildCaddy();
  const full = path.join(folder, "full");
  mkdirSync(full);
  const port = await freePort();
  admin = `127.0.0.1:${await freePort()}`;
  address = `http://127.0.0.1:${port}/terms/cookies-policy/`;
  config = path.join(folder, "Caddyfile");
  writeFileSync(config, `{
	admin ${admin}
	persist_config off
	log choices {
		include http.handlers.cookie_charter.choices
		output file ${full}/choices.json {
			roll_disabled
		}
	}
}
http://:${port} {
	bind 127.0.0.1
	cookie_charter {
		preset matomo
		record_choices
		page {
			archive ${full}
		}
	}
}
`);
  // A small file system that only this Caddy sees.
  const script = `mount -t tmpfs -o size=2m full "$1" && ! cat /dev/zero 2>/dev/null >"$1/filler" && exec "$2" run --config "$3"`;
  caddy = spawn("unshare", [...(process.getuid() === 0 ? [] : ["--map-root-user"]), "--mount", "sh", "-c", script, "sh", full, binary, config], {
    env: { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  caddy.stderr.on("data", (data) => (log += data));
  await accepts(port, caddy).catch((error) => assert.fail(`${error}\n${log}`));
  disk = path.join("/proc", String(caddy.pid), "root", full);
});
after(async () => {
  if (caddy) await end(caddy);
  rmSync(folder, { recursive: true, force: true });
});

async function answer() {
  const once = { Connection: "close" }; // a reload closes those that are kept
  const page = await fetch(address, { headers: once });
  assert.equal(page.status, 200);
  assert.match(await page.text(), /_pk_id/);
  const headers = { ...once, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded" };
  const saved = await fetch(address, { method: "POST", redirect: "manual", headers, body: "all=granted" });
  assert.equal(saved.status, 303);
  assert.match(saved.headers.get("Set-Cookie"), /^charter_preference=1\./);
}

const versions = () => readdirSync(disk).filter((name) => name !== "filler" && name !== "choices.json");

test("a full disk keeps nobody from answering", async () => {
  await answer();
  await until(() => /keeping the charter in the archive.*no space left on device/.test(log), () => `that it is full is in the log: ${log}`);
  assert.deepEqual(versions(), [], "nothing is left half-written");
  assert.equal(readFileSync(path.join(disk, "choices.json"), "utf8"), "");
});

test("with room again, versions and choices are written", async () => {
  rmSync(path.join(disk, "filler"));
  execFileSync(binary, ["reload", "--force", "--config", config, "--address", admin], { stdio: "pipe" });
  await answer();
  assert.equal(versions().length, 1);
  JSON.parse(readFileSync(path.join(disk, versions()[0]), "utf8"));
  assert.match(readFileSync(path.join(disk, "choices.json"), "utf8"), /"matomo":"granted"/);
});
