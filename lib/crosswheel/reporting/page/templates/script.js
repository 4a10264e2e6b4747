"use strict";
// Everything is readable without this: it sorts tables by a column, and finds words in their rows.
for (const table of document.querySelectorAll("table.sortable")) {
  const rows = [...table.tBodies[0].rows];
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const order = new Intl.Collator("en", { numeric: true });
      rows.sort((one, two) => (up ? 1 : -1) * order.compare(value(one, column), value(two, column)));
      table.tBodies[0].append(...rows);
    });
  });
  if (rows.length < 12) continue;
  const label = document.createElement("label");
  const input = document.createElement("input");
  label.className = "find";
  label.textContent = "Show rows with ";
  input.type = "search";
  label.append(input);
  (table.closest(".scroll") ?? table).before(label);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
