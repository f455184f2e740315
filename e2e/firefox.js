// The stock Firefox of the system, without a window, for the end-to-end tests.
// It is driven by WebDriver BiDi, which Playwright cannot speak with it.
import puppeteer from "puppeteer-core";

// What keeps the browser's own traffic off the network, and leads every host to
// this machine.
const preferences = {
  "network.dns.forceResolve": "127.0.0.1",
  "network.proxy.type": 0,
  // As everyone's Firefox has it, which puppeteer changes.
  "network.cookie.cookieBehavior": 5,
  "browser.contentblocking.category": "standard",
  "network.trr.mode": 5,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.dns.disablePrefetch": true,
  "network.prefetch-next": false,
  "network.predictor.enabled": false,
  "dom.security.https_first": false,
  "dom.security.https_only_mode": false,
  "app.update.auto": false,
  "app.normandy.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.newtabpage.enabled": false,
  "browser.region.network.url": "",
  "browser.search.update": false,
  "extensions.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
  "toolkit.telemetry.unified": false,
  "services.settings.server": "http://localhost:9/",
};

// startFirefox starts Firefox with a new profile, which goes when it is closed.
// Every host is this machine, and every certificate is taken.
//
// newPage opens a page as puppeteer's (goto, evaluate, $, click, reload). cookies
// lists what the browser itself has stored for all sites: name, value, domain,
// path, secure, httpOnly, sameSite and expires in seconds since 1970, which a
// session lacks. clearCookies empties the store.
export async function startFirefox(more = {}) {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    timeout: 120_000, // a first start on a busy machine takes long
    headless: true,
    acceptInsecureCerts: true,
    extraPrefsFirefox: { ...preferences, ...more },
  });
  return {
    version: await browser.version(),
    newPage: () => browser.newPage(),
    cookies: async () => {
      const { result } = await browser.connection.send("storage.getCookies", {});
      // What has ended in this second is listed, though it is sent no more.
      const lasting = result.cookies.filter(({ expiry }) => expiry === undefined || expiry > Date.now() / 1000);
      return lasting.map(({ expiry, value, size, ...cookie }) => ({
        ...cookie,
        // Values that are not UTF-8 come as base64: a character per byte.
        value: value.type === "string" ? value.value : Buffer.from(value.value, "base64").toString("latin1"),
        expires: expiry,
      }));
    },
    clearCookies: () => browser.connection.send("storage.deleteCookies", {}),
    close: () => browser.close(),
  };
}
