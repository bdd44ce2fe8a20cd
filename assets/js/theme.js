// The switch is a form that sets a cookie; with script the colours change without a round trip to the page.
export function switchTheme() {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-theme-switch]");
    if (!form || !event.submitter) return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const theme = body.get("theme");
    document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("form[data-theme-switch] button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
    fetch(form.action, { method: "POST", body, redirect: "manual", credentials: "same-origin" });
  });
}
