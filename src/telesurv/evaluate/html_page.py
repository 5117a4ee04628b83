"""A report as one HTML file that needs nothing else: no network, no script, no other file."""

from telesurv.console.paper import clean
from telesurv.evaluate import strips
from telesurv.evaluate.looks import Report, look
from telesurv.evaluate.view import UNKNOWN, Card, Folders, Table

CELL_MAX, NARROW_MAX = 2000, 40

STYLE = """\
:root{--ink:#111418;--grey:#5f6673;--line:#dfe3ea;--pale:#f6f8fb;--blue:#0b4fb3}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;\
color:var(--ink);background:#fff}
main{max-width:1180px;margin:0 auto;padding:28px 24px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}
h2{font-size:18px;margin:40px 0 12px;padding-top:14px;border-top:1px solid var(--line)}
h3{font-size:15px;margin:24px 0 8px}
.about,.help{color:var(--grey);font-size:12.5px;margin:0 0 6px;overflow-wrap:anywhere}
nav{font-size:13.5px;margin:14px 0 22px}
nav a{color:var(--blue);margin-right:18px;text-decoration:none}
nav a:hover,nav a:focus{text-decoration:underline}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.card{border:1px solid var(--line);border-radius:8px;padding:10px 12px;background:var(--pale)}
.card b{display:block;font-size:23px;line-height:1.3;font-variant-numeric:tabular-nums}
.card span{display:block;font-size:12.5px;color:var(--grey)}
.card span.name{color:var(--ink);font-weight:600}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:16px}
svg{display:block;max-width:100%;height:auto}
.plots svg{width:100%}
.plots figure{border:1px solid var(--line);border-radius:8px;padding:8px}
figure{margin:0}
.strips figure{margin:0 0 18px;overflow-x:auto}
.strips svg{min-width:760px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:12.5px;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:4px 7px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--grey);background:#fff;position:sticky;top:0;vertical-align:bottom}
td:first-child,th:first-child{text-align:left;padding-left:4px}
td.text,th.text{text-align:left}
td.long{white-space:normal;min-width:24em}
tbody tr:hover{background:var(--pale)}
tfoot td{font-weight:600;background:var(--pale)}
tfoot tr:first-child td{border-top:2px solid var(--grey)}
.notes p{max-width:80ch;margin:0 0 8px}
@media print{nav{display:none}main{padding:0;max-width:none}.strips figure{break-inside:avoid}}"""


def html(report: Report, folders: Folders) -> str:
    """Return a report as a page; the records of its pictures are read again."""
    shown = look(report)
    title = shown.title(report)
    tables = [table for table in shown.tables(report, True) if table.rows or table.totals]
    pictures = [strips.draw(one) for one in shown.pictures(report, folders)]
    sections = [
        ("figures", "Figures", _cards(shown.cards(report))),
        ("plots", "Plots", _figures(shown.plots(report), "plots")),
        ("tables", "Tables", "".join(_table(table) for table in tables)),
        ("strips", shown.pictures_title, _figures(pictures, "strips") if pictures else ""),
        ("method", "What the figures mean", _notes(shown.notes(report))),
    ]
    sections = [section for section in sections if section[2]]
    links = "".join(f'<a href="#{name}">{said}</a>' for name, said, _ in sections)
    body = "".join(
        f'<section id="{name}"><h2>{said}</h2>{content}</section>'
        for name, said, content in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{clean(title)} - telesurv evaluate</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{clean(title)}</h1>"
        f'<p class="about">{clean(report.about.sentence(), CELL_MAX)}</p>'
        f"<nav>{links}</nav>{body}</main></body></html>\n"
    )


def _cards(cards: list[Card]) -> str:
    drawn = "".join(
        f'<div class="card"><span class="name">{clean(card.name)}</span>'
        f"<b>{clean(card.value)}</b><span>{clean(card.below)}</span></div>"
        for card in cards
    )
    return f'<div class="cards">{drawn}</div>'


def _figures(drawings: list[str], kind: str) -> str:
    drawn = "".join(f"<figure>{drawing}</figure>" for drawing in drawings)
    return f'<div class="{kind}">{drawn}</div>'


def _notes(notes: list[str]) -> str:
    written = "".join(f"<p>{clean(note, CELL_MAX)}</p>" for note in notes)
    return f'<div class="notes">{written}</div>'


def _table(table: Table) -> str:
    """Return a table; columns of words are set to the left, those of figures to the right."""
    lines = [*table.rows, *table.totals]
    words = [_is_text([line[column] for line in lines]) for column in range(len(table.heads))]

    def row(cells: tuple[str, ...], element: str) -> str:
        return (
            "<tr>"
            + "".join(
                f"<{element}{_class(cell, text)}>{clean(cell, CELL_MAX)}</{element}>"
                for cell, text in zip(cells, words, strict=True)
            )
            + "</tr>"
        )

    body = "".join(row(line, "td") for line in table.rows)
    foot = "".join(row(line, "td") for line in table.totals)
    help_ = f'<p class="help">{clean(table.help, CELL_MAX)}</p>' if table.help else ""
    return (
        f'<h3>{clean(table.title)}</h3>{help_}<div class="wide"><table>'
        f"<thead>{row(table.heads, 'th')}</thead><tbody>{body}</tbody>"
        f"<tfoot>{foot}</tfoot></table></div>"
    )


def _class(cell: str, text: bool) -> str:
    return "" if not text else ' class="text long"' if len(cell) > NARROW_MAX else ' class="text"'


def _is_text(cells: list[str]) -> bool:
    known = [cell for cell in cells if cell not in ("", UNKNOWN)]
    return bool(known) and not any(cell.lstrip("-")[:1].isdigit() for cell in known)
