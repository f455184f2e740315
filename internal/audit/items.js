// Returns which items the site has stored in the browser, as [storage, key]: the keys of local and
// session storage, and the names of databases (IndexedDB); null where the page is none of it. No
// value is read. It runs in a world of
// the audit's own, where the page can have changed nothing.
(async (site, most, longest) => {
  const found = [];
  const add = (storage, key) => found.push([storage, key.slice(0, longest)]);
  if (location.origin !== site) return null;
  for (const storage of ["localStorage", "sessionStorage"]) {
    try {
      const area = window[storage];
      for (let i = 0; i < area.length && found.length < most; i++) add(storage, area.key(i));
    } catch {} // a document without storage
  }
  try {
    for (const { name } of (await indexedDB.databases()).slice(0, most - found.length)) add("indexedDB", name);
  } catch {} // as above
  return found;
})
