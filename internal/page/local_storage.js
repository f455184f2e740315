// Copies the choice that a consent banner keeps in the browser's local storage
// into a cookie, where the server can read it. Made for this site from its
// configuration; load it on every page:
//
//   <script src="/terms/cookies-policy/local_storage.js" defer></script>
"use strict";
(() => {
  const copies = {{.}};

  const copied = {};
  function copy() {
    for (const { key, cookie, seconds } of copies) {
      const stored = localStorage.getItem(key);
      if (stored === copied[key]) continue;
      copied[key] = stored;
      const attributes = "; path=/; samesite=lax" + (location.protocol === "https:" ? "; secure" : "");
      const pair = cookie + "=" + encodeURIComponent(stored ?? "");
      const pairs = document.cookie.split("; ");
      if (stored !== null && pair.length <= 4096) {
        // A choice that is stored already is not renewed by a visit.
        if (!pairs.includes(pair)) document.cookie = pair + attributes + (seconds > 0 ? "; max-age=" + seconds : "");
      } else if (pairs.some((other) => other.startsWith(cookie + "="))) {
        document.cookie = cookie + "=" + attributes + "; max-age=-1";
      }
      // Chromium stores it a little later, unless it is read: the next page may be asked for by then.
      void document.cookie;
    }
  }

  // No event tells a page what it writes into local storage itself.
  try {
    copy();
    addEventListener("click", () => setTimeout(copy));
    addEventListener("storage", copy);
    setInterval(copy, 1000);
  } catch {
    // The browser blocks local storage: there is no choice to copy.
  }
})();
