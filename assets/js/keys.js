// Keys: ? help; / or Ctrl+K search; g then a letter goes ([data-go]); in a list j k x, Enter opens;
// n and e press [data-key]. Single keys can be switched off in the help (WCAG 2.1.4).
import { openDialog } from "./dialogs.js";

const OFF = "turnus-keys-off";
const stored = () => { try { return localStorage.getItem(OFF) === "1"; } catch { return false; } };
const store = (off) => { try { off ? localStorage.setItem(OFF, "1") : localStorage.removeItem(OFF); } catch { /* private window */ } };

const shown = (element) => element.checkVisibility?.() ?? element.offsetParent !== null;
const first = (selector) => [...document.querySelectorAll(selector)].find(shown) ?? document.querySelector(selector);
const rows = () => [...document.querySelectorAll("[data-list] [data-row]")].filter(shown);
const typing = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

function search() {
  const box = first("[data-search]");
  if (!box) return false;
  const drawer = box.closest("[popover]");
  if (drawer && !shown(box)) drawer.showPopover?.();
  box.focus();
  box.select?.();
  return true;
}

function move(step) {
  const all = rows();
  if (!all.length) return false;
  const here = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(all.length - 1, Math.max(0, here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step))];
  const link = next.querySelector("[data-row-link]") ?? next.querySelector("a[href], button, input");
  link?.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function check() {
  const row = document.activeElement?.closest?.("[data-row]");
  const box = row?.querySelector("[data-check]");
  if (!box) return false;
  box.click();
  return true;
}

export function keys() {
  let going = 0;
  const help = document.getElementById("keys-help");
  const toggle = document.querySelector("[data-keys-toggle]");
  if (toggle) {
    toggle.checked = !stored();
    toggle.addEventListener("change", () => store(!toggle.checked));
  }
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      if (search()) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target) || document.querySelector("dialog[open]") || stored()) return;
    const pressed = event.key;
    let done = false;
    if (going && Date.now() - going < 1500) {
      going = 0;
      const goal = document.querySelector(`[data-go="${CSS.escape(pressed)}"]`);
      if (goal) { goal.click(); done = true; }
    } else if (pressed === "g") { going = Date.now(); done = true; }
    else if (pressed === "?" && help) { openDialog(help); done = true; }
    else if (pressed === "/") done = search();
    else if (pressed === "j") done = move(1);
    else if (pressed === "k") done = move(-1);
    else if (pressed === "x") done = check();
    else if (/^[a-z]$/.test(pressed)) {
      const goal = first(`[data-key="${pressed}"]`);
      if (goal) { goal.click(); done = true; }
    }
    if (done) event.preventDefault();
  });
}
