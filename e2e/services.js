// A portal whose pages use the services that portals use, the hosts of these services
// under their real names, and what a visitor's browser keeps and calls: for
// services.test.js, and for table.js, which publishes it.
//
// Every name is this machine: browsers reach them through a proxy that knows no way out.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startFirefox } from "./firefox.js";
import { serveFunctions, takeSockets } from "./functions.js";
import { browserArguments, buildCaddy, end, freePort, listen, root, runCaddy, until } from "./parts.js";

const packages = path.join(root, "e2e/node_modules");
const inline = (code) => `<script>${code}</script>`;

// What a host of a service answers, and the cookies that it sets, as hosts set them that
// are to be recognised on other sites.
const answer = (type, body, cookies = []) => ({ type, body, cookies: cookies.map((cookie) => `${cookie}; Path=/; Max-Age=31536000; SameSite=None; Secure`) });
const code = (body) => answer("text/javascript", body);
const file = (name) => code(readFileSync(path.join(packages, name), "utf8"));
const pixel = (...cookies) => answer("image/gif", Buffer.from("R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==", "base64"), cookies);
const data = (...cookies) => answer("application/json", "{}", cookies);

const smartTag = code(`document.cookie = "atuserid=1; path=/; max-age=34300800"; document.cookie = "atauthority=1; path=/; max-age=34300800"; new Image().src = "https://logs1406.xiti.com/hit.xiti?s=123456";`);
const xtcore = `document.cookie = "xtvrn=$123456$; path=/; max-age=31536000"; document.cookie = "xtan123456=1; path=/; max-age=31536000"; document.cookie = "xtant123456=1; path=/; max-age=31536000"; new Image().src = "https://logc2.xiti.com/hit.xiti?s=123456";`;

// What the portal's pages use. Of each: its name; the package that has its real code,
// else it is a stand-in; the key of the visitor's answer, "" where none is needed, and
// none where no row declares it; the hosts that its row declares, and what these answer;
// which of them the portal's pages themselves ask for, as what is asked for by a script of
// another host is not where that is kept away; the cookies that it leaves, its own and
// those of its hosts, and those that it only tries cookies with; and what stands in the
// pages.
export const services = [
  {
    name: "Piano Analytics",
    package: "piano-analytics-js",
    key: "piano",
    hosts: ["tag.aticdn.net", "*.pa-cd.com"],
    serves: { "tag.aticdn.net": (at) => at.startsWith("/piano") ? file("piano-analytics-js/dist/browser/piano-analytics.js") : smartTag, "logs.pa-cd.com": () => data() },
    asks: ["tag.aticdn.net"],
    cookies: ["_pcid", "_pctx", "pa_privacy"],
    trials: ["_cookie_test"],
    page: `<script src="https://tag.aticdn.net/piano-analytics.js" onload="pa.setConfigurations({ site: 123456, collectDomain: 'https://logs.pa-cd.com' }); pa.sendEvent('page.display', { page: document.title })"></script>`,
  },
  {
    name: "PostHog",
    package: "posthog-js",
    key: "posthog",
    hosts: ["*.posthog.com"],
    serves: { "eu-assets.i.posthog.com": (at) => at === "/static/array.js" ? file("posthog-js/dist/array.js") : at.startsWith("/static/") ? file(`posthog-js/dist/${path.basename(at)}`) : code(""), "eu.i.posthog.com": () => data() },
    asks: ["eu-assets.i.posthog.com"],
    cookies: ["ph_phc_portal_posthog"],
    page: `<script src="https://eu-assets.i.posthog.com/static/array.js" onload="posthog.init('phc_portal', { api_host: 'https://eu.i.posthog.com', opt_out_useragent_filter: true, disable_session_recording: true, disable_surveys: true })"></script>`,
  },
  {
    name: "Mixpanel, which the portal serves",
    package: "mixpanel-browser",
    key: "mixpanel",
    hosts: ["cdn.mxpnl.com", "*.mixpanel.com"],
    serves: { "api-js.mixpanel.com": () => data() },
    asks: ["api-js.mixpanel.com"],
    cookies: ["mp_0123456789abcdef0123456789abcdef_mixpanel"],
    page: inline(`var MIXPANEL_CUSTOM_LIB_URL = "/static/mixpanel-browser/dist/mixpanel.min.js";` + readFileSync(path.join(packages, "mixpanel-browser/dist/mixpanel-jslib-snippet.min.js"), "utf8") + `; mixpanel.init("0123456789abcdef0123456789abcdef", { track_pageview: true, batch_requests: false })`),
  },
  {
    name: "Amplitude",
    package: "@amplitude/analytics-browser",
    key: "amplitude",
    hosts: ["*.amplitude.com"],
    serves: { "cdn.amplitude.com": () => file("@amplitude/analytics-browser/lib/scripts/amplitude-min.js"), "sr-client-cfg.amplitude.com": () => data(), "api2.amplitude.com": () => data() },
    asks: ["cdn.amplitude.com"],
    cookies: ["AMP_0123456789", "AMP_MKTG_0123456789"],
    trials: ["AMP_TEST", "AMP_TLDTEST"],
    page: `<script src="https://cdn.amplitude.com/libs/analytics-browser-min.js" onload="amplitude.init('0123456789abcdef0123456789abcdef')"></script>`,
  },
  {
    name: "Google Analytics, started by tarteaucitron",
    key: "ga",
    hosts: ["*.googletagmanager.com", "*.google-analytics.com", "*.analytics.google.com", "*.g.doubleclick.net"],
    serves: {
      "www.googletagmanager.com": () =>
        code(`(() => {
          const keep = (name) => document.cookie = name + "=GA1.1.1.1; path=/; domain=.city.example; max-age=34560000";
          keep("_ga"); keep("_ga_PORTAL1234");
          navigator.sendBeacon("https://www.google-analytics.com/g/collect?v=2");
          new Image().src = "https://stats.g.doubleclick.net/g/collect?v=2";
        })();`),
      "www.google-analytics.com": () => data(),
      "stats.g.doubleclick.net": () => pixel(),
    },
    asks: ["www.googletagmanager.com"],
    cookies: ["_ga", "_ga_PORTAL1234"],
  },
  {
    name: "XiTi, by the code of tarteaucitron",
    package: "tarteaucitronjs",
    key: "xiti",
    hosts: ["*.xiti.com"],
    serves: { "logv3.xiti.com": () => pixel("idrxvr=1; Domain=xiti.com", "atidx=1; Domain=xiti.com") },
    asks: ["logv3.xiti.com"],
    thirdParty: ["atidx of xiti.com", "idrxvr of xiti.com"],
  },
  {
    name: "xtcore, which the portal serves",
    key: "xiti",
    hosts: [],
    script: "/static/xtcore.js",
    serves: { "logc2.xiti.com": () => pixel("idrxvr=1; Domain=xiti.com") },
    asks: [],
    cookies: ["xtan123456", "xtant123456", "xtvrn"],
    page: `<script src="/static/xtcore.js"></script>`,
  },
  {
    name: "SmartTag of AT Internet",
    key: "at",
    hosts: ["tag.aticdn.net", "*.ati-host.net", "*.xiti.com"],
    serves: { "logs1406.xiti.com": () => pixel("idrxvr=1; Domain=xiti.com") },
    asks: [],
    cookies: ["atauthority", "atuserid"],
    page: `<script src="https://tag.aticdn.net/123456/smarttag.js"></script>`,
  },
  {
    name: "Eulerian, by the loader of tarteaucitron",
    key: "eulerian",
    hosts: ["portal.eulerian.net"],
    serves: { "portal.eulerian.net": (at) => at.endsWith(".js") ? code(`document.cookie = "etuix=1; path=/; max-age=33696000"; new Image().src = "https://portal.eulerian.net/col/";`) : pixel("etuix=1; Domain=eulerian.net") },
    asks: ["portal.eulerian.net"],
    cookies: ["etuix"],
    thirdParty: ["etuix of eulerian.net"],
  },
  {
    name: "Matomo, on a host of the operator's",
    key: "matomo",
    hosts: ["stats.city.example"],
    serves: {
      "stats.city.example": (at) =>
        at === "/matomo.js" ? code(`document.cookie = "_pk_id.1.1fff=1; path=/; max-age=33955200"; document.cookie = "_pk_ses.1.1fff=1; path=/; max-age=1800"; navigator.sendBeacon("https://stats.city.example/matomo.php");`) : data(),
    },
    asks: ["stats.city.example"],
    cookies: ["_pk_id.1.1fff", "_pk_ses.1.1fff"],
    page: `<script async src="https://stats.city.example/matomo.js"></script>`,
  },
  {
    name: "a video in a frame",
    key: "videos",
    hosts: ["www.youtube.com", "i.ytimg.com"], // the second is called by the frame, as it likes
    serves: {
      "www.youtube.com": () => answer("text/html", `<!DOCTYPE html><title>video</title><img src="https://i.ytimg.com/vi/1/hqdefault.jpg">`, ["YSC=1; Domain=youtube.com", "VISITOR_INFO1_LIVE=1; Domain=youtube.com"]),
      "i.ytimg.com": () => pixel(),
    },
    asks: ["www.youtube.com"],
    thirdParty: ["VISITOR_INFO1_LIVE of youtube.com", "YSC of youtube.com"],
    page: `<iframe src="https://www.youtube.com/embed/1" width="320" height="180"></iframe>`,
  },
  {
    name: "tiles of a map",
    key: "",
    hosts: ["*.tile.openstreetmap.org"],
    serves: { "a.tile.openstreetmap.org": () => pixel("tile_server=1"), "b.tile.openstreetmap.org": () => pixel() },
    asks: [],
    thirdParty: ["tile_server of a.tile.openstreetmap.org"],
    page: `<img src="https://a.tile.openstreetmap.org/1/0/0.png"><img src="https://b.tile.openstreetmap.org/1/1/0.png">`,
  },
  {
    name: "an advertising pixel",
    serves: { "ad.doubleclick.net": () => pixel("IDE=1; Domain=doubleclick.net") },
    asks: ["ad.doubleclick.net"],
    thirdParty: ["IDE of doubleclick.net"],
    page: `<img src="https://ad.doubleclick.net/activity;src=1">`,
  },
  {
    name: "a web font",
    serves: {
      "fonts.googleapis.com": () => answer("text/css", `@font-face { font-family: Portal; src: url(https://fonts.gstatic.com/s/portal.woff2) } body { font-family: Portal }`),
      "fonts.gstatic.com": () => answer("font/woff2", ""),
    },
    asks: ["fonts.googleapis.com"],
    page: `<link rel="stylesheet" href="https://fonts.googleapis.com/css2?family=Portal">`,
  },
];


// What services do once they are allowed: the hosts that they call, the portal's cookies
// that their scripts write, and the cookies of their hosts.
const all = (some, of) => [...new Set(some.flatMap((service) => of(service) ?? []))].sort();
export const hostsOf = (some) => all(some, ({ serves }) => Object.keys(serves));
export const cookiesOf = (some) => all(some, ({ cookies }) => cookies);
export const trialsOf = (some) => all(some, ({ trials }) => trials);
export const thirdPartyOf = (some) => all(some, ({ thirdParty }) => thirdParty);

// askedOf returns the hosts that the portal's pages ask for, for some services.
export const askedOf = (some) => all(some, ({ asks }) => asks);

// What the portal sets itself: by its answers, which are necessary and declared; and by
// scripts of its own, one of them js-cookie, one of them tarteaucitron, which no row
// declares.
export const necessary = ["cookies_preferences", "csrftoken", "django_language", "sessionid"];
export const ofOwnScripts = ["last_dataset", "tarteaucitron", "tour_seen"];

// The portal's page. tarteaucitron is set up to let everything through at once, as it
// offers for visitors from elsewhere.
const page = (title) => `<!DOCTYPE html><html lang="en"><head><title>${title}</title>
${inline(`window.blocked = []; document.addEventListener("securitypolicyviolation", ({ blockedURI }) => { try { blocked.push(new URL(blockedURI).hostname); } catch {} });`)}
${inline(`document.cookie = "tour_seen=1; path=/; max-age=31536000"`)}
<script src="/static/js-cookie/dist/js.cookie.min.js"></script>${inline(`Cookies.set("last_dataset", "trees", { expires: 365 })`)}
</head><body><h1>${title}</h1>
${services.map((service) => service.page ?? "").join("\n")}
<script src="/static/tarteaucitronjs/tarteaucitron.js"></script>
${inline(`tarteaucitron.user.bypass = true; tarteaucitron.user.gtagUa = "G-PORTAL1234"; tarteaucitron.user.xitiId = "123456"; tarteaucitron.user.eulerianHost = "portal.eulerian.net";
  tarteaucitron.init({ hashtag: "#banner", highPrivacy: true, AcceptAllCta: true, DenyAllCta: true, orientation: "bottom", mandatory: false });
  tarteaucitron.job = ["gtag", "xiti", "eulerian"];`)}
<p><a href="/explore/">Explore</a></p></body></html>`;

// The charter, with options that its rows have to be fit for.
const charter = (...options) => `cookie_charter {
		preset opendatasoft matomo google_analytics piano xiti at_internet eulerian posthog mixpanel amplitude
		${options.includes("hosts") ? hostRows() : ""}
		${options.join("\n\t\t")}
	}`;

// hostRows declares the hosts and scripts of services.
const hostRows = () => {
  const rows = [];
  for (const { key, hosts = [], script } of services) {
    const row = key === "" ? `purpose "Shows maps"\ncategory necessary` : key === "videos" ? `purpose "Shows videos"\ncategory third_party\nconsent videos` : `consent ${key}`;
    if (hosts.length > 0) rows.push(`host ${hosts.join(" ")} {\n${row}\n}`);
    if (script) rows.push(`script ${script} {\n${row}\n}`);
  }
  return rows.join("\n");
};

// The portal, by what stands before it.
export const setups = {
  plain: "no module",
  cookies: "a charter of cookies",
  hosts: "the same charter with hosts",
  guard: "the same charter with guard",
  both: "the same charter with hosts and guard",
};
const charters = { plain: "", cookies: charter(), hosts: charter("hosts"), guard: charter("guard"), both: charter("hosts", "guard") };
export const siteOf = (setup) => `https://${hostOf(setup)}`;
const hostOf = (setup) => `${setup}.city.example`;
const charterPage = "/terms/cookies-policy/";

// startServices runs the portal and the hosts of the services behind Caddy, and the proxy
// that leads to both, and to no other host. calls has an entry for each request to a host
// of a service: which one, and the cookies that it set. folder is where Caddy stores, and
// anyone else may.
export async function startServices() {
  const folder = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-services-"));
  const caddyBinary = buildCaddy();
  const [originPort, httpPort, httpsPort] = [await freePort(), await freePort(), await freePort()];
  const calls = [];
  const serves = Object.assign({}, ...services.map((service) => service.serves));
  const portals = Object.keys(setups).map(hostOf);

  const origin = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://origin");
    if (!portals.includes(request.headers.host)) {
      const { type, body, cookies } = serves[request.headers.host](pathname);
      calls.push({ host: request.headers.host, cookies });
      const asking = request.headers.origin;
      response.writeHead(200, {
        "Content-Type": type,
        "Cache-Control": "no-store", // each page asks anew
        "Set-Cookie": cookies,
        ...(asking && { "Access-Control-Allow-Origin": asking, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Headers": request.headers["access-control-request-headers"] ?? "" }),
      });
      return response.end(body);
    }
    if (serveFunctions(request, response)) return;
    if (pathname === "/static/xtcore.js") return response.writeHead(200, { "Content-Type": "text/javascript" }).end(xtcore);
    if (pathname.startsWith("/static/") && !pathname.includes("..")) {
      const types = { ".js": "text/javascript", ".css": "text/css" };
      return response.writeHead(200, { "Content-Type": types[path.extname(pathname)] ?? "text/plain" }).end(readFileSync(path.join(packages, pathname.slice("/static/".length))));
    }
    if (pathname === "/favicon.ico") return response.writeHead(204).end();
    response.writeHead(200, {
      "Content-Type": "text/html; charset=utf-8",
      "Set-Cookie": ["sessionid=1; Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600", "csrftoken=1; Path=/; SameSite=Lax; Max-Age=31449600", "django_language=en; Path=/; Max-Age=31449600"],
    });
    response.end(page(pathname));
  });
  takeSockets(origin);

  const known = new Set([...portals, ...Object.keys(serves)]);
  const proxy = http.createServer((request, response) => response.writeHead(502).end());
  const tunnels = new Set();
  proxy.on("connect", (request, socket) => {
    socket.on("error", () => {});
    if (!known.has(request.url.split(":")[0])) return socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    const tunnel = net.connect(httpsPort, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(tunnel).pipe(socket);
    });
    for (const [one, other] of [[tunnel, socket], [socket, tunnel]]) {
      tunnels.add(one);
      one.on("error", () => {}).on("close", () => tunnels.delete(one) && other.destroy());
    }
  });

  const site = (hosts, block) => `${hosts.map((host) => `https://${host}`).join(", ")} {\n\tbind 127.0.0.1\n\ttls internal\n\t${block}\n\treverse_proxy 127.0.0.1:${originPort}\n}\n`;
  const config = path.join(folder, "Caddyfile");
  writeFileSync(
    config,
    `{\n\tadmin off\n\tpersist_config off\n\tskip_install_trust\n\tstorage file_system ${folder}\n\tstorage_clean_interval off\n\thttp_port ${httpPort}\n\thttps_port ${httpsPort}\n\tauto_https disable_redirects\n}\n` +
      Object.entries(charters).map(([setup, block]) => site([hostOf(setup)], block)).join("") + site(Object.keys(serves), ""),
  );
  let caddy;
  const stop = async () => {
    if (caddy) await end(caddy);
    for (const server of [origin, proxy]) {
      server.close();
      server.closeAllConnections();
    }
    for (const tunnel of tunnels) tunnel.destroy();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await listen(origin, originPort);
    await listen(proxy, 0);
    caddy = await runCaddy(caddyBinary, config, {}, httpsPort, [...known]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { calls, caddyBinary, folder, proxyPort: proxy.address().port, stop };
}

// What keeps Chromium from saying that it is driven.
export const asAnyone = ["--disable-blink-features=AutomationControlled", "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"];

// The browsers, each with a new profile in which nothing is set but the way to the proxy,
// that any certificate does, and that trackers do not take it for a robot.
export const browsers = {
  Chromium: async (proxyPort) => {
    const profile = mkdtempSync(path.join(os.tmpdir(), "cookie_charter-profile-"));
    mkdirSync(path.join(profile, "Default"));
    writeFileSync(path.join(profile, "Default", "Preferences"), JSON.stringify({ profile: { cookie_controls_mode: 0 } })); // cookies of other sites, too
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: "/usr/bin/chromium",
      args: [...browserArguments, ...asAnyone],
      ignoreHTTPSErrors: true,
      locale: "en-GB",
      proxy: { server: `http://127.0.0.1:${proxyPort}` },
    });
    const { product } = await (await context.newCDPSession(context.pages()[0])).send("Browser.getVersion");
    return {
      version: `Chromium ${product.split("/")[1]}`,
      page: context.pages()[0],
      cookies: () => context.cookies(), // Storage.getCookies
      close: async () => {
        await context.close();
        rmSync(profile, { recursive: true, force: true, maxRetries: 10 }); // its helpers end a little later
      },
    };
  },
  Firefox: async (proxyPort) => {
    const firefox = await startFirefox({ "network.proxy.type": 1, "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": proxyPort, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": proxyPort, "intl.accept_languages": "en-GB" });
    return { version: `Firefox ${firefox.version.split("/").at(-1)}`, page: await firefox.newPage(), cookies: firefox.cookies, close: firefox.close };
  },
};

// A Visitor is a browser on one of the portal's sites, with what it kept and called since
// it last began to look.
export class Visitor {
  #browser;
  #parts;
  #looking = true;
  #rounds;

  static async arrive(parts, browser, setup) {
    const visitor = new Visitor();
    visitor.#parts = parts;
    visitor.#browser = await browsers[browser](parts.proxyPort);
    visitor.page = visitor.#browser.page;
    visitor.version = visitor.#browser.version;
    visitor.setup = setup;
    visitor.site = siteOf(setup);
    visitor.begin();
    visitor.#rounds = visitor.#look();
    return visitor;
  }

  // begin forgets what was seen.
  begin() {
    this.seen = { own: new Set(), third: new Set() };
    this.polls = 0;
    this.#parts.calls.length = 0;
  }

  // #look asks the browser for its cookies, every 40 ms.
  async #look() {
    while (this.#looking) {
      const { seen } = this; // what was asked for before it began anew is not of now
      const held = await this.held();
      for (const kind of Object.keys(seen)) for (const name of held[kind]) seen[kind].add(name);
      this.polls += 1;
      await sleep(40);
    }
  }

  // held returns the names of the cookies that the browser has, those of other sites with
  // their domain.
  async held() {
    const own = new Set();
    const third = new Set();
    for (const { name, domain } of await this.#browser.cookies()) {
      if (/(^|\.)city\.example$/.test(domain)) own.add(name);
      else third.add(`${name} of ${domain.replace(/^\./, "")}`);
    }
    return { own, third };
  }

  // hosts are the other hosts that were called, and sets the cookies that they set.
  get hosts() {
    return [...new Set(this.#parts.calls.map(({ host }) => host))].sort();
  }
  get sets() {
    return [...new Set(this.#parts.calls.flatMap(({ host, cookies }) => cookies.map((cookie) => `${cookie.split("=")[0]} of ${/Domain=([^;]*)/.exec(cookie)?.[1] ?? host}`)))].sort();
  }

  visit(at) {
    return this.page.goto(this.site + at, { waitUntil: "load" });
  }

  // blocked returns the hosts of which the page was kept.
  blocked() {
    return this.page.evaluate(() => [...new Set(window.blocked)].sort());
  }

  // answer gives an answer on the charter page, to everything or to some keys.
  async answer(value, keys) {
    await this.visit(`${charterPage}?flg=en`);
    if (keys) {
      for (const key of keys) await this.page.click(`input[name='answer.${key}'][value=${value}]`);
      await this.page.evaluate(() => document.querySelector("main button:not([name])").click());
    } else {
      await this.page.click(`button[name=all][value=${value}]`);
    }
    await until(() => this.page.evaluate(() => location.search.includes("status=saved") && document.readyState === "complete").catch(() => false), () => "the answer is saved");
  }

  // rest waits until no host has been called for a while.
  async rest(milliseconds = 1000) {
    let count = -1;
    await until(async () => {
      if (count === this.#parts.calls.length) return true;
      count = this.#parts.calls.length;
      await sleep(milliseconds);
      return false;
    }, () => "hosts are no longer called");
  }

  // stored returns how many keys scripts of the portal have stored.
  stored() {
    return this.page.evaluate(async () => ({
      local: Object.keys(localStorage).length,
      session: Object.keys(sessionStorage).length,
      databases: (await indexedDB.databases()).length,
    }));
  }

  async leave() {
    this.#looking = false;
    await this.#rounds;
    await this.#browser.close();
  }
}
