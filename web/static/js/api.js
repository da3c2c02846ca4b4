// Asking our own REST interface.
const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** Return the JSON at a path below /api/v1. Throws Error with a sentence when there is none. */
export async function ask(path, options = {}) {
  const response = await fetch(`/api/v1${path}`, { ...options, headers: { "X-CSRF-Token": csrf, ...options.headers } });
  if (response.status === 401) location.reload(); // the session is over
  const told = await response.json();
  if (!response.ok) throw new Error(told.detail);
  return told;
}

/** Send a form's fields somewhere and return the response. */
export function send(address, fields) {
  return fetch(address, { method: "POST", body: fields, headers: { "X-CSRF-Token": csrf } });
}
