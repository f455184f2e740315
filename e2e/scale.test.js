// Several instances behind load balancers without affinity are as one: the same
// verdicts, and an answer given to one holds on the others at once.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { accepts, end, freePort, root } from "./parts.js";

const page = "/terms/cookies-policy/";
const tracker = "_pk_id.1.1fff";

describe("three instances", () => {
  const children = [];
  const balancers = {};
  let folder, origin;

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-scale-"));
    const binary = path.join(folder, "caddy");
    execFileSync("go", ["build", "-o", binary, "./cmd/caddy"], { cwd: root, stdio: "inherit" });
    const originPort = await freePort();
    origin = http.createServer((request, response) => {
      response.writeHead(200, { "Set-Cookie": [`${tracker}=1; Path=/`, "sessionid=1; Path=/", "undeclared=1"] }).end(request.headers.cookie ?? "");
    });
    await new Promise((resolve) => origin.listen(originPort, "127.0.0.1", resolve));

    const launch = async (port, command, ...words) => {
      const child = spawn(command, words, { stdio: "ignore", env: { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } });
      children.push(child);
      await accepts(port, child);
    };
    const caddy = async (name, port, site) => {
      const file = path.join(folder, `${name}.caddyfile`);
      writeFileSync(file, `{\n admin off\n persist_config off\n}\nhttp://:${port} {\n bind 127.0.0.1\n ${site}\n}\n`);
      await launch(port, binary, "run", "--config", file, "--adapter", "caddyfile");
    };
    const instances = [];
    for (const name of ["a", "b", "c"]) {
      const port = await freePort();
      await caddy(name, port, `cookie_charter {\n  preset opendatasoft matomo\n  preference opendatasoft\n  preference charter\n }\n header X-Instance ${name}\n reverse_proxy 127.0.0.1:${originPort}`);
      instances.push(`127.0.0.1:${port}`);
    }
    balancers.Caddy = await freePort();
    await caddy("balancer", balancers.Caddy, `reverse_proxy ${instances.join(" ")} {\n  lb_policy round_robin\n }`);
    balancers.HAProxy = await freePort();
    const config = path.join(folder, "haproxy.cfg");
    const servers = instances.map((address, i) => ` server instance${i} ${address}\n`).join("");
    writeFileSync(config, `defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\nfrontend site\n bind 127.0.0.1:${balancers.HAProxy}\n default_backend instances\nbackend instances\n balance roundrobin\n${servers}`);
    await launch(balancers.HAProxy, "haproxy", "-db", "-f", config);
  });
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
});
