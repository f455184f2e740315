// Several instances behind load balancers without affinity are as one: the same
// verdicts, and an answer given to one holds on the others at once. Where one is killed, no
// verdict is wrong, and no version in the shared archive is lost.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { accepts, buildCaddy, end, freePort, listen, root } from "./parts.js";

const page = "/terms/cookies-policy/";
const tracker = "_pk_id.1.1fff";

describe("three instances", () => {
  const children = [];
  const balancers = {};
  const ports = {}; // of the instances
  let folder, origin, binary, startInstance;

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-scale-"));
    binary = buildCaddy();
    const originPort = await freePort();
    origin = http.createServer((request, response) => {
      response.writeHead(200, { "Set-Cookie": [`${tracker}=1; Path=/`, "sessionid=1; Path=/", "undeclared=1"] }).end(request.headers.cookie ?? "");
    });
    await listen(origin, originPort);

    const launch = async (port, command, ...words) => {
      const child = spawn(command, words, { stdio: "ignore", env: { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } });
      children.push(child);
      await accepts(port, child);
      return child;
    };
    const caddy = (name, port, config) => {
      writeFileSync(configOf(name), config.replace(/^\{\n/, "{\n\tadmin off\n\tpersist_config off\n"));
      return launch(port, binary, "run", "--config", configOf(name), "--adapter", "caddyfile");
    };
    // Each is the example, on this machine, with another preset or without.
    startInstance = (name, preset = "") => {
      let config = readFileSync(path.join(root, "examples/instances.caddyfile"), "utf8").replace(/^#.*\n/gm, "");
      for (const [here, there] of [
        ["/var/lib/caddy/shared", path.join(folder, "shared")],
        ["http://opendata.example.fr {", `http://:${ports[name]} {\n\tbind 127.0.0.1\n\theader X-Instance ${name}`],
        ["preset opendatasoft matomo", `preset opendatasoft matomo ${preset}`],
        ["localhost:8000", `127.0.0.1:${originPort}`],
      ]) {
        assert(config.includes(here), here);
        config = config.replace(here, there);
      }
      return caddy(name, ports[name], config);
    };
    for (const name of ["a", "b", "c"]) {
      ports[name] = await freePort();
      await startInstance(name);
    }
    const instances = Object.values(ports).map((port) => `127.0.0.1:${port}`);
    balancers.Caddy = await freePort();
    await caddy("balancer", balancers.Caddy, `{\n}\nhttp://:${balancers.Caddy} {\n bind 127.0.0.1\n reverse_proxy ${instances.join(" ")} {\n  lb_policy round_robin\n  lb_try_duration 10s\n  fail_duration 1s\n }\n}\n`);
    balancers.HAProxy = await freePort();
    const config = path.join(folder, "haproxy.cfg");
    const servers = instances.map((address, i) => ` server instance${i} ${address}\n`).join("");
    writeFileSync(config, `defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\nfrontend site\n bind 127.0.0.1:${balancers.HAProxy}\n default_backend instances\nbackend instances\n balance roundrobin\n${servers}`);
    await launch(balancers.HAProxy, "haproxy", "-db", "-f", config);
  });
  const configOf = (name) => path.join(folder, `${name}.caddyfile`);
  after(async () => {
    origin?.close();
    origin?.closeAllConnections();
    for (const child of children) await end(child);
    rmSync(folder, { recursive: true, force: true });
  });

  for (const balancer of ["Caddy", "HAProxy"]) {
    test(`behind ${balancer}`, async () => {
      const site = `http://127.0.0.1:${balancers[balancer]}`;
      let jar = {};
      const store = (response) => {
        for (const line of response.headers.getSetCookie()) {
          const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
          if (/Max-Age=-1/.test(line)) delete jar[name];
          else jar[name] = value;
        }
      };
      const header = () => Object.entries(jar).map(([name, value]) => `${name}=${value}`).join("; ");
      const seen = new Set();
      const look = async () => {
        const response = await fetch(`${site}/`, { headers: { cookie: header() } });
        store(response);
        const received = await response.text();
        seen.add(response.headers.get("x-instance"));
        const set = response.headers.getSetCookie().map((line) => line.split("=")[0]).sort();
        return JSON.stringify({ set, tracked: received.includes(tracker) });
      };
      const choose = async (answer) => {
        const response = await fetch(site + page, { method: "POST", redirect: "manual", headers: { "content-type": "application/x-www-form-urlencoded", cookie: header() }, body: `all=${answer}` });
        assert.equal(response.status, 303);
        store(response);
      };
      const everywhere = async (want) => {
        for (let i = 0; i < 12; i++) assert.equal(await look(), JSON.stringify(want));
      };

      await everywhere({ set: ["sessionid"], tracked: false });
      await choose("granted");
      await look(); // from now on there is something to send
      await everywhere({ set: [tracker, "sessionid"], tracked: true });
      await choose("refused");
      await everywhere({ set: ["sessionid"], tracked: false });
      assert.deepEqual([...seen].sort(), ["a", "b", "c"]);

      // All of them have the same charter, to the byte.
      const charters = new Set();
      for (let i = 0; i < 6; i++) charters.add(await (await fetch(`${site}${page}?format=json`)).text());
      assert.equal(charters.size, 1);
    });
  }

  // The killed one comes back with another charter, as in a rolling update, and is killed once
  // more as soon as that is kept.
  test("one is killed under load", async (context) => {
    const site = `http://127.0.0.1:${balancers.Caddy}`;
    const other = `${tracker}=1`;
    const visitors = [{ cookies: other, want: { set: "sessionid", tracked: false } }];
    for (const answer of ["refused", "granted"]) {
      const response = await fetch(site + page, { method: "POST", redirect: "manual", headers: { "content-type": "application/x-www-form-urlencoded" }, body: `all=${answer}` });
      const cookies = [other, ...response.headers.getSetCookie().map((line) => line.split(";")[0])].join("; ");
      visitors.push({ cookies, want: answer === "granted" ? { set: `${tracker} sessionid`, tracked: true } : visitors[0].want });
    }

    let isOver = false;
    const answered = { a: 0, b: 0, c: 0 };
    let lost = 0;
    const workers = 6;
    const load = Array.from({ length: workers }, async (_, worker) => {
      const { cookies, want } = visitors[worker % visitors.length];
      for (let i = 0; i < 20_000 && !isOver; i++) {
        let response, received;
        try {
          response = await fetch(site, { headers: { cookie: cookies } });
          received = await response.text();
        } catch {
          lost++; // it was on its way
          continue;
        }
        if (response.status === 502) {
          lost++;
          continue;
        }
        const set = response.headers.getSetCookie().filter((line) => !line.includes("Max-Age=-1")).map((line) => line.split("=")[0]).sort().join(" ");
        assert.deepEqual({ set, tracked: received.includes(tracker) }, want);
        answered[response.headers.get("x-instance")]++;
      }
    });
    const finished = Promise.all(load);
    finished.catch(() => {}); // it is told below
    const more = async (...names) => {
      const enough = names.map((name) => [name, answered[name] + 30]);
      for (let tries = 0; enough.some(([name, count]) => answered[name] < count); tries++) {
        assert(tries < 3000, `of ${names} come no answers: ${JSON.stringify(answered)}`);
        await Promise.all([sleep(10), Promise.race([finished, undefined])]); // which throws what is wrong
      }
    };
    const kill = async (child) => {
      child.kill("SIGKILL");
      while (child.signalCode === null) await sleep(5);
    };
    const version = async (name) => (await (await fetch(`http://127.0.0.1:${ports[name]}${page}?format=json`)).json()).version;
    try {
      await more("a", "b", "c");
      const versions = [await version("a")];
      await kill(children[0]);
      await more("b", "c");
      const again = await startInstance("a", "piano");
      versions.push(await version("a"));
      await kill(again);
      await more("b", "c");
      await startInstance("a", "piano");
      await more("a", "b", "c");

      assert.notEqual(versions[0], versions[1]);
      for (const kept of versions) assert.equal((await fetch(`http://127.0.0.1:${ports.a}${page}?version=${kept}`)).status, 200, kept);
      const environment = { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
      const verified = execFileSync(binary, ["cookie-charter", "verify", configOf("a"), "--site", `http://127.0.0.1:${ports.a}`], { env: environment, encoding: "utf8" });
      for (const kept of versions) assert(verified.includes(kept), verified);
    } finally {
      isOver = true;
      await finished;
    }
    assert(lost <= 2 * workers, `${lost} requests were lost`);
    context.diagnostic(`${Object.values(answered).reduce((sum, count) => sum + count)} answers, none of them wrong; ${lost} requests were lost`);
  });
});
