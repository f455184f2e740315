// The real parts of the end-to-end tests: the portal, Caddy and Chromium.
import { spawn, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = path.dirname(fileURLToPath(import.meta.url));
export const screenshots = path.join(here, "screenshots");
export const root = path.dirname(here);
// Where the pictures in the documentation are written, if that is asked for.
export const pictures = process.env.PICTURES ? path.join(root, "docs") : screenshots;

// The port given last, from below those that systems choose themselves, and above 10080,
// where no browser goes.
let lastPort = 10_100 + Math.floor(Math.random() * 20_000);

// freePort returns a port of which nobody listens, and none twice.
export async function freePort() {
  for (;;) {
    const port = ++lastPort;
    const server = net.createServer();
    const free = await new Promise((resolve) => server.once("listening", () => resolve(true)).once("error", () => resolve(false)).listen(port, "127.0.0.1"));
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return String(port);
  }
}

export const browserArguments = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP *.example 127.0.0.1",
];

// until waits for a condition, for as long as a busy machine needs; what says which one it is.
export async function until(condition, what) {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) if (await condition()) return;
  throw new Error(`not within a minute: ${what()}`);
}

// follow does what leads to another page, and waits until that has loaded.
export const follow = (page, action) => Promise.all([page.waitForNavigation(), action()]);

// listen has a server listen on a port. It keeps its connections for as long as Caddy does:
// one that it closes just when Caddy sends a post there is an answer of 502.
export function listen(server, port) {
  Object.assign(server, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
  return new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
}

export async function accepts(port, process) {
  for (let tries = 0; tries < 600; tries++) {
    if (process.exitCode !== null || process.signalCode !== null) throw new Error(`${process.spawnargs.join(" ")} ended with ${process.exitCode}`);
    const connected = await new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (connected) return;
    await sleep(100);
  }
  throw new Error(`${process.spawnargs.join(" ")} does not listen on ${port}`);
}

// hasCertificate waits until a server has a certificate for a host: Caddy's own
// authority makes them one after the other, once it has started.
export async function hasCertificate(port, host) {
  for (let tries = 0; tries < 600; tries++) {
    const secured = await new Promise((resolve) => {
      const socket = tls.connect({ host: "127.0.0.1", port, servername: host, rejectUnauthorized: false });
      socket.once("secureConnect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("secureConnect", () => socket.destroy());
    });
    if (secured) return;
    await sleep(100);
  }
  throw new Error(`no certificate for ${host}`);
}

// end ends a process and waits for it.
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await ended;
}

// buildCaddy builds Caddy with the module, and returns where it is: what is there already of the
// same code is not built again.
export function buildCaddy() {
  const binary = path.join(root, "e2e/node_modules/.cache/caddy");
  execFileSync("go", ["build", "-o", binary, "./cmd/caddy"], { cwd: root, stdio: "inherit" });
  return binary;
}

// runCaddy runs Caddy with a configuration, until it listens on ports and has certificates
// for hosts at the first of them. It returns the process; what Caddy says is in the error if
// that fails.
export async function runCaddy(binary, config, environment, ports, hosts = []) {
  const caddy = spawn(binary, ["run", "--config", config], { env: { ...process.env, ...environment }, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  caddy.stderr.on("data", (data) => (log += data));
  try {
    for (const port of [ports].flat()) await accepts(port, caddy);
    await Promise.all(hosts.map((host) => hasCertificate([ports].flat()[0], host)));
    return caddy;
  } catch (error) {
    await end(caddy);
    throw new Error(log, { cause: error });
  }
}

// start builds Caddy, runs the portal behind it, and opens a browser for which
// every *.example host is this machine.
export async function start() {
  mkdirSync(screenshots, { recursive: true });
  const folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-"));
  const caddyBinary = buildCaddy();

  const archive = path.join(folder, "archive");
  mkdirSync(archive);
  const ports = {};
  for (const name of ["HTTP_PORT", "HTTPS_PORT", "PORTAL_PORT", "CORPUS_PORT", "ORIGIN_PORT", "INSIDE_PORT", "INSIDE_CACHE_PORT", "BANNERS_PORT", "PAGE_PORT", "PLANTED_PORT", "ENFORCED_PORT", "ASKING_PORT", "VENDOR_PORT", "TRUSTING_PORT", "FORWARDED_PORT"]) ports[name] = await freePort();
  const environment = { ...process.env, ...ports, STORAGE: path.join(folder, "storage"), ARCHIVE: archive, HERE: here };
  const portal = spawn("/usr/bin/python3", [path.join(here, "portal.py"), ports.PORTAL_PORT], { stdio: ["ignore", "ignore", "pipe"] });
  const caddy = spawn(caddyBinary, ["run", "--config", path.join(here, "Caddyfile")], {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  for (const child of [portal, caddy]) child.stderr.on("data", (data) => (log += data));

  let browser;
  const stop = async () => {
    await browser?.close();
    for (const child of [caddy, portal]) await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await accepts(ports.PORTAL_PORT, portal);
    await accepts(ports.HTTPS_PORT, caddy);
    const hosts = readFileSync(path.join(here, "Caddyfile"), "utf8").match(/(?<=https:\/\/)[a-z.]+\.example(?=[ ,]|$)/gm);
    await Promise.all([...hosts.map((host) => hasCertificate(ports.HTTPS_PORT, host)), hasCertificate(ports.VENDOR_PORT, "localhost")]);
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: browserArguments,
    });
  } catch (error) {
    await stop();
    throw new Error(`${log}\n${error}`, { cause: error });
  }
  // command runs a command of Caddy, and returns its exit code and what it prints.
  const command = async (...words) => {
    const child = spawn(caddyBinary, ["cookie-charter", ...words], { env: environment, stdio: ["ignore", "pipe", "pipe"], timeout: 600_000 });
    const printed = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) child[stream].on("data", (data) => (printed[stream] += data));
    const status = await new Promise((resolve) => child.once("close", resolve));
    return { status, ...printed };
  };
  // choices returns the records of choices, without those of former tests.
  let told = 0;
  const choices = () => {
    const lines = readFileSync(path.join(environment.STORAGE, "choices.log"), { encoding: "utf8", flag: "a+" }).trim().split("\n").filter(Boolean);
    const records = lines.slice(told).map((line) => JSON.parse(line));
    told = lines.length;
    return records;
  };
  return { browser, choices, ports, site: `https://data.city.example:${ports.HTTPS_PORT}`, command, storage: environment.STORAGE, stop };
}
