// Real banners, at the versions in package.json, for the tests that click them.
const klaro = (storage) => ({
  before: `var klaroConfig = { storageMethod: "${storage}", storageName: "klaro", lang: "en", acceptAll: true,
      translations: { zz: { privacyPolicyUrl: "/" } }, services: [{ name: "measure", title: "Measure", purposes: ["analytics"] }] };`,
  script: "klaro/dist/klaro.js",
  accept: ".cm-btn-success",
  refuse: ".cn-decline",
});

const cookieconsent = (useLocalStorage) => ({
  script: "vanilla-cookieconsent/dist/cookieconsent.umd.js",
  run: `CookieConsent.run({
      hideFromBots: false,
      cookie: { useLocalStorage: ${useLocalStorage} },
      categories: { necessary: { enabled: true, readOnly: true }, analytics: {} },
      language: { default: "en", translations: { en: {
        consentModal: { title: "Cookies", acceptAllBtn: "Accept", acceptNecessaryBtn: "Refuse" },
        preferencesModal: { sections: [] } } } } });`,
  accept: "button[data-role=all]",
  refuse: "button[data-role=necessary]",
});

// Of each banner: its script, what starts it, what it loads as /config.json, and its two
// buttons. Those that are called -storage keep their answers in local storage, and the one
// that is called -described is read as the Caddyfile describes it.
export const banners = {
  tarteaucitron: {
    script: "tarteaucitronjs/tarteaucitron.js",
    run: `tarteaucitron.init({ hashtag: "#banner", highPrivacy: true, AcceptAllCta: true, DenyAllCta: true, orientation: "bottom", mandatory: false });
      tarteaucitron.services.measure = { key: "measure", type: "analytic", name: "Measure", needConsent: true, cookies: [], js() {}, fallback() {} };
      (tarteaucitron.job = tarteaucitron.job || []).push("measure");`,
    accept: "#tarteaucitronPersonalize2",
    refuse: "#tarteaucitronAllDenied2",
  },
  cookieconsent: cookieconsent(false),
  "cookieconsent-storage": cookieconsent(true),
  "cookieconsent-described": cookieconsent(false),
  cookieconsent2: {
    style: "cookieconsent2/dist/cookieconsent.css",
    script: "cookieconsent2/dist/cookieconsent.js",
    run: `initCookieConsent().run({ current_lang: "en", hide_from_bots: false, autorun: true, languages: { en: {
      consent_modal: { title: "Cookies", description: "", primary_btn: { text: "Accept", role: "accept_all" }, secondary_btn: { text: "Refuse", role: "accept_necessary" } },
      settings_modal: { title: "", save_settings_btn: "", accept_all_btn: "", reject_all_btn: "", blocks: [
        { title: "necessary", description: "", toggle: { value: "necessary", enabled: true, readonly: true } },
        { title: "analytics", description: "", toggle: { value: "analytics", enabled: false, readonly: false } } ] } } } });`,
    accept: "#c-p-bn",
    refuse: "#c-s-bn",
  },
  klaro: klaro("cookie"),
  "klaro-storage": klaro("localStorage"),
  orejime: {
    before: `window.orejimeConfig = { privacyPolicyUrl: "/", purposes: [{ id: "measure", title: "Measure", cookies: [] }] };`,
    script: "orejime/dist/orejime-standard-en.js",
    accept: "[data-testid=orejime-banner-accept]",
    refuse: "[data-testid=orejime-banner-decline]",
  },
  orejime2: {
    before: `window.orejimeConfig = { elementID: "orejime", cookieName: "orejime", lang: "en", privacyPolicy: "/", logo: false,
      translations: { en: { consentModal: { description: "" }, measure: { description: "" }, purposes: { analytics: "Analytics" } } },
      apps: [{ name: "measure", title: "Measure", purposes: ["analytics"] }] };`,
    script: "orejime2/dist/orejime.js",
    accept: ".orejime-Notice-saveButton",
    refuse: ".orejime-Notice-declineButton",
  },
  cookiesjsr: {
    before: `document.cookiesjsr = { apiUrl: "", configQuery: "/config.json" };`,
    html: `<div id="cookiesjsr"></div><script src="/lib/cookiesjsr/dist/cookiesjsr.min.js"></script>`,
    config: {
      config: { cookie: { secure: false, sameSite: "Lax" }, interface: { defaultLang: "en", availableLangs: ["en"], showDenyAll: true } },
      services: { analytic: { id: "analytic", services: [{ key: "measure", type: "analytic", name: "Measure", uri: "", needConsent: true }] } },
      translation: {},
    },
    accept: ".cookiesjsr-btn.allowAll",
    refuse: ".cookiesjsr-btn.denyAll",
  },
  osano: {
    script: "cookieconsent/build/cookieconsent.min.js",
    run: `cookieconsent.initialise({ type: "opt-in" });`,
    accept: ".cc-allow",
    refuse: ".cc-deny",
  },
  // A headless one: the page brings the buttons.
  c15t: {
    html: `<script type="importmap">{ "imports": {
      "c15t": "/lib/c15t/dist/index.js",
      "zustand/vanilla": "/lib/c15t/node_modules/zustand/esm/vanilla.mjs",
      "@c15t/translations": "/lib/@c15t/translations/dist/index.js",
      "@c15t/schema/types": "/lib/@c15t/schema/dist/types.js" } }</script>
      <script type="module">
        import { getOrCreateConsentRuntime } from "c15t";
        const { consentStore } = getOrCreateConsentRuntime({ mode: "offline", consentCategories: ["necessary", "measurement"] });
        for (const choice of ["all", "necessary"]) {
          const button = document.createElement("button");
          button.textContent = button.id = choice;
          button.addEventListener("click", () => consentStore.getState().saveConsents(choice));
          document.body.append(button);
        }
      </script>`,
    accept: "#all",
    refuse: "#necessary",
  },
};

// show returns what of a page shows a banner.
export const show = ({ style, before, script, run, html }) => `${style ? `<link rel="stylesheet" href="/lib/${style}">` : ""}
  <script nonce="test">${before ?? ""}</script>
  ${script ? `<script src="/lib/${script}"></script>` : ""}
  <script nonce="test">${run ?? ""}</script>${html ?? ""}`;
