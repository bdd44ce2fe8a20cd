// What a form sends, and which answer still counts.
export function sendOnce() {
  let sent = new WeakSet();
  const changed = new WeakSet();

  // A form that is on its way asks for no preview: the answer would speak of what has just been done.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const form = event.target;
    sent.add(form);
    window.htmx?.trigger(form, "htmx:abort");
    // An answer that is a file leaves the page where it is.
    setTimeout(() => sent.delete(form), 10_000);
  });
  window.addEventListener("pageshow", () => { sent = new WeakSet(); });

  // A form that asks at each change shows no answer to what has been changed since: it would take the change away,
  // and the next answer is about to come.
  document.addEventListener("input", (event) => { if (event.target.form) changed.add(event.target.form); });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const asking = event.detail.elt;
    if (sent.has(asking)) event.preventDefault();
    changed.delete(asking);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const asked = event.detail.requestConfig.elt;
    const asksAgain = asked.getAttribute("hx-trigger")?.startsWith("change");
    if (asksAgain && changed.has(asked)) event.detail.shouldSwap = false;
  });
}
