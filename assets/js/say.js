// One polite live region for everything the script has to tell.
export function say(text) {
  const region = document.getElementById("said");
  if (!region || !text) return;
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text; });
}
