// Tells the audit what scripts of a site write and does not reach the browser. It sees what they
// write before anything that the page puts around document.cookie, cookieStore and storage, and
// what is left of it behind that: between both, something has stopped it. It tells names, and
// no values, and leaves deletions out.
((site, binding) => {
  const tell = window[binding];
  delete window[binding];
  if (window.origin !== site) return;

  // What is called later is taken before the page can change it.
  const { apply, get: getOf, set: setOf } = Reflect, { stringify } = JSON, { parse, now } = Date;
  const method = (native) => (self, ...values) => apply(native, self, values);
  const has = method(Set.prototype.has), add = method(Set.prototype.add), remove = method(Set.prototype.delete), match = method(RegExp.prototype.exec);
  const reached = new Set(), stopped = new Set();
  let names = 0, stops = 0; // how many are in them
  const keyOf = (kind, name) => kind + " " + name;
  const say = (kind, name, isStopped) => tell(stringify({ __proto__: null, kind, name, stopped: isStopped }));
  // written calls what writes a name, and sees whether it comes out behind the page.
  const written = (kind, name, write) => {
    const result = write(), key = keyOf(kind, name);
    if (name !== undefined && name.length <= 128 && stops < 256 && !has(reached, key) && !has(stopped, key)) {
      stops++;
      add(stopped, key);
      say(kind, name, true);
    }
    return result;
  };
  // arrives notes a name that reaches the browser, be it that it was held back until now.
  const arrives = (kind, name) => {
    const key = keyOf(kind, name);
    if (name === undefined || names >= 4096) return;
    if (!has(reached, key)) names++;
    add(reached, key);
    if (remove(stopped, key)) {
      stops--;
      say(kind, name, false);
    }
  };

  // nameOfLine returns the name in a line for document.cookie, undefined if it has none or deletes.
  const nameOfLine = (line) => {
    const age = match(/;\s*max-age\s*=\s*(-?\d+)/i, line)?.[1], date = match(/;\s*expires\s*=([^;]*)/i, line)?.[1];
    const name = match(/^\s*([^=;]*?)\s*=/, line)?.[1];
    return (age === undefined ? parse(date) <= now() : age <= 0) ? undefined : name;
  };
  const nameOfOptions = (values) => {
    const first = values[0];
    if (typeof first !== "object" || !first) return `${first}`;
    return first.expires != null && first.expires <= now() ? undefined : `${first.name}`;
  };

  const { get, set, ...cookie } = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
  Object.defineProperty(Document.prototype, "cookie", { ...cookie, get, set(line) {
    arrives("cookie", nameOfLine(line = `${line}`));
    apply(set, this, [line]);
  } });
  // Of a document, what its own kind has comes before what all kinds have.
  Object.defineProperty(HTMLDocument.prototype, "cookie", { ...cookie, get() {
    return getOf(Document.prototype, "cookie", this);
  }, set(line) {
    written("cookie", nameOfLine(line = `${line}`), () => setOf(Document.prototype, "cookie", line, this));
  } });

  // around puts itself around a method: before the page, and behind it.
  const around = (target, prototype, called, kind, nameOf) => {
    const native = prototype[called], layer = Object.create(prototype);
    prototype[called] = function (...values) {
      arrives(kind, nameOf(values));
      return apply(native, this, values);
    };
    layer[called] = function (...values) {
      return written(kind, nameOf(values), () => apply(prototype[called], this, values));
    };
    for (const object of target) Object.setPrototypeOf(object, layer);
  };
  try {
    if (window.cookieStore) around([cookieStore], CookieStore.prototype, "set", "cookie", nameOfOptions);
    around([localStorage, sessionStorage], Storage.prototype, "setItem", "item", (values) => `${values[0]}`);
  } catch {} // a document without storage
})
