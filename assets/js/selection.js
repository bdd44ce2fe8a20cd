// Lists with [data-list]: the box in the head checks all rows shown; [data-selected-count] says how many.
export function selection() {
  const count = (list) => {
    const boxes = [...list.querySelectorAll("[data-check]")];
    const checked = boxes.filter((box) => box.checked).length;
    const all = list.querySelector("[data-check-all]");
    if (all) { all.checked = checked > 0 && checked === boxes.length; all.indeterminate = checked > 0 && checked < boxes.length; }
    const scope = list.closest("form") ?? document;
    for (const place of scope.querySelectorAll("[data-selected-count]")) place.textContent = String(checked);
  };
  document.addEventListener("change", (event) => {
    const list = event.target.closest("[data-list]");
    if (!list) return;
    if (event.target.matches("[data-check-all]")) {
      for (const box of list.querySelectorAll("[data-check]")) box.checked = event.target.checked;
    }
    if (event.target.matches("[data-check], [data-check-all]")) count(list);
  });
}
