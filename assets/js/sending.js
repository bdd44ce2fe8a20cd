// A form that is on its way asks for no preview: the answer would speak of what has just been done.
export function sendOnce() {
  let sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const form = event.target;
    sent.add(form);
    window.htmx?.trigger(form, "htmx:abort");
    // An answer that is a file leaves the page where it is.
    setTimeout(() => sent.delete(form), 10_000);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (sent.has(event.detail.elt)) event.preventDefault();
  });
  window.addEventListener("pageshow", () => { sent = new WeakSet(); });
}
