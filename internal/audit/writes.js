// Tells the audit what scripts of a site write and does not reach the browser. It sees what they
// write before anything that the page puts around document.cookie, cookieStore and storage, and
// what is left of it behind that: between both, something has stopped it. It tells names, and
// no values, and leaves deletions out.
((site, binding) => {
  const tell = window[binding];
  delete window[binding];
  if (window.origin !== site) return;

  const reached = new Set(), stopped = new Set();
  const keyOf = (kind, name) => JSON.stringify([kind, name]);
  // written calls what writes a name, and sees whether it comes out behind the page.
  const written = (kind, name, write) => {
    const result = write(), key = keyOf(kind, name);
    if (name !== undefined && name.length <= 128 && stopped.size < 256 && !reached.has(key) && !stopped.has(key)) {
      stopped.add(key);
      tell(JSON.stringify({ kind, name, stopped: true }));
    }
    return result;
  };
  // arrives notes a name that reaches the browser, be it that it was held back until now.
  const arrives = (kind, name) => {
    const key = keyOf(kind, name);
    if (name === undefined || reached.size >= 4096) return;
    reached.add(key);
    if (stopped.delete(key)) tell(JSON.stringify({ kind, name, stopped: false }));
  };

  // nameOfLine returns the name in a line for document.cookie, undefined if it has none or deletes.
  const nameOfLine = (line) => {
    const [, age] = /;\s*max-age\s*=\s*(-?\d+)/i.exec(line) ?? [], [, date] = /;\s*expires\s*=([^;]*)/i.exec(line) ?? [];
    const [, name] = /^\s*([^=;]*?)\s*=/.exec(line) ?? [];
    return (age === undefined ? Date.parse(date) <= Date.now() : age <= 0) ? undefined : name;
  };
  const nameOfOptions = ([first]) => (typeof first === "object" && first ? (first.expires != null && first.expires <= Date.now() ? undefined : `${first.name}`) : `${first}`);

  const { get, set, ...cookie } = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
  Object.defineProperty(Document.prototype, "cookie", { ...cookie, get, set(line) {
    arrives("cookie", nameOfLine(line = `${line}`));
    set.call(this, line);
  } });
  // Of a document, what its own kind has comes before what all kinds have.
  Object.defineProperty(HTMLDocument.prototype, "cookie", { ...cookie, get() {
    return Reflect.get(Document.prototype, "cookie", this);
  }, set(line) {
    written("cookie", nameOfLine(line = `${line}`), () => Reflect.set(Document.prototype, "cookie", line, this));
  } });

  // around puts itself around a method: before the page, and behind it.
  const around = (target, prototype, method, kind, nameOf) => {
    const native = prototype[method], layer = Object.create(prototype);
    prototype[method] = function (...values) {
      arrives(kind, nameOf(values));
      return native.apply(this, values);
    };
    layer[method] = function (...values) {
      return written(kind, nameOf(values), () => prototype[method].apply(this, values));
    };
    for (const object of target) Object.setPrototypeOf(object, layer);
  };
  try {
    if (window.cookieStore) around([cookieStore], CookieStore.prototype, "set", "cookie", nameOfOptions);
    around([localStorage, sessionStorage], Storage.prototype, "setItem", "item", ([key]) => `${key}`);
  } catch {} // a document without storage
})
