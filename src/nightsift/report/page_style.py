"""How the page of a night looks, and how its table is sorted."""

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; max-width: 1180px; margin: 24px auto;
  padding: 0 16px; color: #1b1b1b; background: #fff }
h1 { font-size: 22px; margin-bottom: 4px; overflow-wrap: anywhere }
h2 { font-size: 17px; margin: 28px 0 8px; border-bottom: 1px solid #ddd }
.fact { margin: 0; color: #555 } .note { color: #555; margin: 4px 0 10px }
table { border-collapse: collapse; width: 100% }
th { text-align: left; border-bottom: 2px solid #999; padding: 3px 8px }
td { border-bottom: 1px solid #e6e6e6; padding: 2px 8px; overflow-wrap: anywhere }
td.n { text-align: right }
.sortable th { cursor: pointer } .sortable th::after { content: " \\2195"; color: #aaa }
tr.bad td { background: #fbeee6 } tr.review td { background: #fdf6e3 }
img.timeline { width: 100% }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 10px }
.card { border: 1px solid #ddd; border-left: 5px solid #E69F00; padding: 6px 10px;
  break-inside: avoid }
.card.bad { border-left-color: #D55E00 }
.card p { margin: 0 0 6px; min-height: 2.9em }
.card figure { display: inline-block; margin: 0 8px 0 0; vertical-align: top }
.card img.frame { max-height: 148px; max-width: 148px }
.card img.stars { height: 104px; margin-left: 2px; vertical-align: top }
figcaption { font-size: 11px; color: #555; max-width: 250px; overflow-wrap: anywhere }
@media print { .sortable th::after { content: "" } body { margin: 0; max-width: none }
  thead { display: table-header-group } tr, img { break-inside: avoid } }
"""

SCRIPT = """
for (const head of document.querySelectorAll(".sortable th")) {
  head.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0], column = head.cellIndex;
    const down = head.dataset.down !== "1";
    for (const other of head.parentNode.cells) other.dataset.down = "";
    head.dataset.down = down ? "1" : "";
    const text = row => row.cells[column].textContent;
    [...body.rows]
      .sort((a, b) => text(a).localeCompare(text(b), "en", { numeric: true }) * (down ? 1 : -1))
      .forEach(row => body.append(row));
  });
}
"""
