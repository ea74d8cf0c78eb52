"""A results page as Markdown, LaTeX (no package but booktabs) and HTML (one file, no network)."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chexone_ray.evaluation.tables import Cell, Document, Grid

LATEX_SYSTEMS = 6
"""Columns of systems of a LaTeX table: more would not fit the width of a page."""
LATEX_LINES = 24
"""Lines of a LaTeX table, as `tabular` does not go over the end of a page. Notes are set below
their numbers, which keeps a table narrow and makes two of a line."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After the \\ of the line before, these would be read as its argument.
    "*": "{*}",
    "[": "{[}",
    "]": "{]}",
    "\u2013": "--",
}
_CSS = """
:root{color-scheme:light;--ink:#1b1f24;--soft:#59636e;--line:#d8dee4;--back:#f6f8fa}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:#fff;margin:0 auto;
max-width:1320px;padding:24px}
h1{font-size:25px;margin:0 0 4px}h2{font-size:18px;margin:30px 0 8px}
.banner{background:#fff3cd;border:1px solid #e6c200;border-radius:6px;padding:8px 12px;
margin:12px 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13.5px;border-top:2px solid var(--ink);
border-bottom:2px solid var(--ink)}
th{border-bottom:1px solid var(--ink);font-weight:600}
td,th{padding:5px 12px;text-align:left;vertical-align:top}
td{border-bottom:1px solid var(--line)}tr:last-child td{border-bottom:0}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.group{background:var(--back)}
.range{color:var(--soft);font-size:12px}i,em{color:var(--soft)}sup{line-height:0}
.notes{font-size:13.5px;padding-left:20px}.signatures{font:12.5px/1.6 ui-monospace,monospace;
padding-left:32px;overflow-wrap:anywhere}
"""


def markdown(page: Document) -> str:
    """GitHub-flavoured Markdown."""
    lines = [f"# {page.title}", "", f"> {page.notice}", ""]
    for grid in page.grids:
        lines += [f"## {_md(grid.title)}", "", _md_line([_md_cell(cell) for cell in grid.head])]
        lines.append(_md_line(["---:" if cell.is_number else "---" for cell in grid.head]))
        for line in grid.lines:
            empty = [""] * (len(grid.head) - len(line))
            lines.append(_md_line([*map(_md_cell, line), *empty]))
        lines.append("")
    lines += [f"- {_md(note)}" for note in page.notes]
    lines += ["", "Signatures:", ""]
    lines += [f"{number}. `{text}`" for number, text in enumerate(page.signatures, 1)]
    return "\n".join([*lines, ""])


def _md_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _md_cell(cell: Cell) -> str:
    text = _md(cell.text)
    if text and (cell.is_bold or cell.is_italic):
        sign = "**" if cell.is_bold else "*"
        text = f"{sign}{text}{sign}"
    text += _md(cell.mark)
    if cell.note:
        text += f" ({_md(cell.note)})"
    return f"{text} [{cell.footnote}]" if cell.footnote else text


def _md(text: str) -> str:
    text = re.sub(r"([\\|*_`~\[\]#])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;")


def latex(page: Document) -> str:
    """`table` environments to be read in with \\input; their preamble needs booktabs alone."""
    lines = [f"% {page.title}. {page.notice}", r"% Needs \usepackage{booktabs}"]
    for grid in page.grids:
        for number, part in enumerate(_latex_parts(grid)):
            lines += _latex_grid(part, is_continued=number > 0)
    lines += [r"\begin{footnotesize}", r"\begin{itemize}"]
    lines += [rf"\item {_latex(note)}" for note in (*page.notes, page.notice)]
    lines += [r"\end{itemize}", r"\begin{enumerate}"]
    lines += [rf"\item {_latex(text)}" for text in page.signatures]
    return "\n".join([*lines, r"\end{enumerate}", r"\end{footnotesize}", ""])


def _latex_parts(grid: Grid) -> Iterator[Grid]:
    """The grid in tables that fit a page: by columns of systems, then by lines."""
    fixed, width = grid.num_fixed, len(grid.head)
    step = LATEX_SYSTEMS if fixed else width
    for start in range(fixed, max(width, fixed + 1), step):
        for at in range(0, len(grid.lines), LATEX_LINES):
            yield replace(
                grid,
                head=(*grid.head[:fixed], *grid.head[start : start + step]),
                lines=tuple(
                    line if len(line) == 1 else (*line[:fixed], *line[start : start + step])
                    for line in grid.lines[at : at + LATEX_LINES]
                ),
            )


def _latex_grid(grid: Grid, is_continued: bool) -> Iterator[str]:
    columns = "".join("r" if cell.is_number else "l" for cell in grid.head)
    yield r"\begin{table}[htbp]"
    yield r"\centering\footnotesize\setlength{\tabcolsep}{3pt}"
    yield rf"\caption{{{_latex(grid.title)}{', continued' if is_continued else ''}}}"
    yield rf"\begin{{tabular}}{{{columns}}}"
    yield r"\toprule"
    yield " & ".join(map(_latex_cell, grid.head)) + r" \\"
    yield r"\midrule"
    for line in grid.lines:
        if len(line) == 1:
            yield rf"\multicolumn{{{len(grid.head)}}}{{l}}{{{_latex_cell(line[0])}}} \\"
        else:
            yield " & ".join(map(_latex_cell, line)) + r" \\"
            if any(cell.note for cell in line):
                yield " & ".join(map(_latex_note, line)) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text)
    if text and (cell.is_bold or cell.is_italic):
        text = rf"\{'textbf' if cell.is_bold else 'textit'}{{{text}}}"
    if cell.mark:
        text += rf"\textsuperscript{{{_latex(cell.mark)}}}"
    return rf"{text} {{\scriptsize [{cell.footnote}]}}" if cell.footnote else text


def _latex_note(cell: Cell) -> str:
    return rf"{{\scriptsize {_latex(cell.note)}}}" if cell.note else ""


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def html(page: Document) -> str:
    """A light page with its style in it."""
    title = markup.escape(page.title)
    body = "".join(map(_html_grid, page.grids))
    notes = "".join(f"<li>{markup.escape(note)}</li>" for note in page.notes)
    signatures = "".join(
        f"<li id='s{number}'>{markup.escape(text)}</li>"
        for number, text in enumerate(page.signatures, 1)
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{title}</title><style>{_CSS}</style></head><body><h1>{title}</h1>"
        f"<p class='banner'>{markup.escape(page.notice)}</p>{body}"
        f"<h2>Notes</h2><ul class='notes'>{notes}</ul>"
        f"<h2>Signatures</h2><ol class='signatures'>{signatures}</ol></body></html>\n"
    )


def _html_grid(grid: Grid) -> str:
    head = "".join(f"<th{_html_class(cell)}>{_html_cell(cell)}</th>" for cell in grid.head)
    lines = []
    for line in grid.lines:
        if len(line) == 1:
            inner = f"<td class='group' colspan='{len(grid.head)}'>{_html_cell(line[0])}</td>"
        else:
            inner = "".join(f"<td{_html_class(cell)}>{_html_cell(cell)}</td>" for cell in line)
        lines.append(f"<tr>{inner}</tr>")
    return (
        f"<h2>{markup.escape(grid.title)}</h2><div class='wide'><table><thead><tr>{head}</tr>"
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _html_class(cell: Cell) -> str:
    return " class='n'" if cell.is_number else ""


def _html_cell(cell: Cell) -> str:
    text = markup.escape(cell.text)
    if text and (cell.is_bold or cell.is_italic):
        tag = "b" if cell.is_bold else "i"
        text = f"<{tag}>{text}</{tag}>"
    if cell.mark:
        text += f"<sup>{markup.escape(cell.mark)}</sup>"
    if cell.footnote:
        text += f" <sup><a href='#s{cell.footnote}'>{cell.footnote}</a></sup>"
    if cell.note:
        text += f"<br><span class='range'>{markup.escape(cell.note)}</span>"
    return text
