// [data-dialog="id"] opens <dialog id>; as a link it still leads to the same form on its own page.
// [data-close] closes the dialog or message it stands in.
export function openDialog(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  const first = "[autofocus], form .dialog__body :is(input:not([type=hidden]), select, textarea)";
  dialog.querySelector(first)?.focus();
}

export function openFromLinks() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      const dialog = document.getElementById(opener.dataset.dialog);
      if (dialog instanceof HTMLDialogElement) {
        event.preventDefault();
        opener.closest("details.menu")?.removeAttribute("open");
        openDialog(dialog);
      }
      return;
    }
    const closer = event.target.closest("[data-close]");
    if (closer) {
      const dialog = closer.closest("dialog");
      if (dialog) { event.preventDefault(); dialog.close(); return; }
      const message = closer.closest(".message");
      if (message) { event.preventDefault(); message.remove(); document.querySelector("main")?.focus({ preventScroll: true }); }
      return;
    }
    // A press on the backdrop, not inside the box.
    if (event.target instanceof HTMLDialogElement && event.target.open) {
      const box = event.target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside) event.target.close();
    }
  });
  const waiting = document.querySelector("dialog[data-open]");
  if (waiting) openDialog(waiting);
}
