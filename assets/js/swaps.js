// After htmx has put new content in place, focus is where the person left it:
// on an error summary if there is one, on the same control if it still exists, else on the new part itself.
let last = null;

export function keepFocus() {
  document.addEventListener("focusin", (event) => { last = event.target; });
  document.addEventListener("htmx:afterSettle", (event) => {
    const part = event.detail.target;
    if (!part?.isConnected) return;
    const wanted = part.querySelector("[data-takes-focus]");
    if (wanted) { wanted.focus(); return; }
    if (document.activeElement && document.activeElement !== document.body) return;
    const same = last?.id ? document.getElementById(last.id) : null;
    if (same) { same.focus({ preventScroll: true }); return; }
    if (!last || last.isConnected) return;
    const heading = part.querySelector("h1, h2, h3") ?? part;
    if (!heading.hasAttribute("tabindex")) heading.setAttribute("tabindex", "-1");
    heading.focus({ preventScroll: true });
  });
  // The summary carries autofocus; older engines ignore it on a <div>.
  document.querySelector("[data-takes-focus]")?.focus();
}
