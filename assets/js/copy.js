// [data-copy="text"] puts the text on the clipboard and says so.
import { say } from "./say.js";

async function write(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export function copyOnClick() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    await write(button.dataset.copy);
    button.focus();
    button.dataset.done = "";
    const use = button.querySelector("use");
    const shape = use?.getAttribute("href");
    if (use) use.setAttribute("href", shape.replace(/#.*/, "#check"));
    say(document.body.dataset.sayCopied);
    setTimeout(() => { delete button.dataset.done; use?.setAttribute("href", shape); }, 1600);
  });
}
