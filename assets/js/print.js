// [data-print] opens the browser's own print dialog; without script the button is not shown.
export function printOnClick() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });
}
