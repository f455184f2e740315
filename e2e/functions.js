// What a portal can do without other hosts: a page that tries it, for services.test.js.
import { createHash } from "node:crypto";

// Each tells, by a promise of true, that it works.
export const functions = {
  "an inline handler": () => new Promise((resolve) => {
    window.handled = resolve;
    document.body.insertAdjacentHTML("beforeend", `<button id="handled" onclick="handled(true)"></button>`);
    document.getElementById("handled").click();
  }),
  eval: async () => (0, eval)("1 + 1") === 2,
  Function: async () => new Function("return 1 + 1")() === 2,
  "setTimeout of a text": () => new Promise((resolve) => {
    window.timed = resolve;
    setTimeout("timed(true)", 1);
  }),
  wasm: async () => WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).then(() => true),
  "a javascript: address": () => new Promise((resolve) => {
    window.addressed = resolve;
    const link = document.createElement("a");
    link.href = "javascript:void addressed(true)";
    document.body.append(link);
    link.click();
  }),
  "an inline module": () => new Promise((resolve) => {
    window.imported = resolve;
    document.head.append(Object.assign(document.createElement("script"), { type: "module", textContent: "imported(true)" }));
  }),
  "a module of a blob": async () => (await import(URL.createObjectURL(new Blob(["export default true"], { type: "text/javascript" })))).default,
  "an inline style": async () => {
    document.head.insertAdjacentHTML("beforeend", "<style>#styled { color: rgb(1, 2, 3) }</style>");
    document.body.insertAdjacentHTML("beforeend", `<p id="styled" style="opacity: 0.5"></p>`);
    const { color, opacity } = getComputedStyle(document.getElementById("styled"));
    return color === "rgb(1, 2, 3)" && opacity === "0.5";
  },
  "a data: image": () => new Promise((resolve, reject) => Object.assign(new Image(), { onload: () => resolve(true), onerror: reject }).src = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="),
  "a blob: image": () => new Promise((resolve, reject) => {
    const image = new Blob([`<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`], { type: "image/svg+xml" });
    Object.assign(new Image(), { onload: () => resolve(true), onerror: reject }).src = URL.createObjectURL(image);
  }),
  "fetching from data:": async () => (await (await fetch("data:,yes")).text()) === "yes",
  "fetching from a blob": async () => (await (await fetch(URL.createObjectURL(new Blob(["yes"])))).text()) === "yes",
  "fetching from the portal": async () => (await (await fetch("/functions/text")).text()) === "yes",
  "a beacon": async () => navigator.sendBeacon("/functions/text", "beacon"),
  "a worker of a blob": () => new Promise((resolve, reject) => {
    const worker = new Worker(URL.createObjectURL(new Blob(["postMessage(eval('true'))"])));
    Object.assign(worker, { onmessage: ({ data }) => resolve(data), onerror: reject });
  }),
  "a worker of the portal": () => new Promise((resolve, reject) => Object.assign(new Worker("/functions/worker.js"), { onmessage: ({ data }) => resolve(data), onerror: reject })),
  "a frame of the portal": () => new Promise((resolve) => {
    window.framed = resolve;
    document.body.insertAdjacentHTML("beforeend", `<iframe src="/functions/frame"></iframe>`);
  }),
  "a frame of srcdoc": () => new Promise((resolve) => {
    window.written = resolve;
    document.body.insertAdjacentHTML("beforeend", `<iframe srcdoc="<script>parent.written(true)</script>"></iframe>`);
  }),
  "a frame of data:": () => new Promise((resolve) => {
    addEventListener("message", ({ data }) => data === "from data:" && resolve(true));
    document.body.insertAdjacentHTML("beforeend", `<iframe src="data:text/html,<script>parent.postMessage('from data:', '*')</script>"></iframe>`);
  }),
  "a WebSocket": () => new Promise((resolve, reject) => Object.assign(new WebSocket(`wss://${location.host}/functions/socket`), { onopen: () => resolve(true), onerror: reject })),
  "an EventSource": () => new Promise((resolve, reject) => {
    const source = new EventSource("/functions/events");
    const end = (settle, value) => { source.close(); settle(value); };
    Object.assign(source, { onmessage: () => end(resolve, true), onerror: () => end(reject) });
  }),
  "a form into a frame": () => new Promise((resolve) => {
    window.framed = resolve;
    document.body.insertAdjacentHTML("beforeend", `<iframe name="target"></iframe><form id="sent" target="target" action="/functions/frame" method="post"></form>`);
    document.getElementById("sent").submit();
  }),
};

// serveFunctions answers what these ask for, and tells whether it did.
export function serveFunctions(request, response) {
  const html = (body) => response.writeHead(200, { "Content-Type": "text/html" }).end(`<!DOCTYPE html><title>functions</title><body>${body}`);
  switch (request.url) {
    case "/functions":
      html("");
      return true;
    case "/functions/frame":
      html("<script>parent.framed(true)</script>");
      return true;
    case "/functions/text":
      response.writeHead(200, { "Content-Type": "text/plain" }).end("yes");
      return true;
    case "/functions/worker.js":
      response.writeHead(200, { "Content-Type": "text/javascript" }).end(`fetch("/functions/text").then((answer) => answer.text()).then((text) => postMessage(eval("text === 'yes'")))`);
      return true;
    case "/functions/events":
      response.writeHead(200, { "Content-Type": "text/event-stream" }).end("data: yes\n\n");
      return true;
  }
  return false;
}

// takeSockets has a server take sockets, which are open to a browser once its key is
// answered (RFC 6455, section 4.2.2).
export const takeSockets = (server) =>
  server.on("upgrade", (request, socket) => {
    const accepted = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.on("error", () => {});
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accepted}\r\n\r\n`);
  });
