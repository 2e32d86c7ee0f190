"""The page of the demonstration: one file of HTML, pictures included, without scripts."""

from __future__ import annotations

import base64
import html
import io
import platform
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn import _C, config
from fastcnn._optional import import_optional
from fastcnn.demo.sections import Figure, Section
from fastcnn.io import atomic_write
from fastcnn.io._files import StrPath

_QUALITY = 88

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #ffffff; --ink: #1f2933;
  --quiet: #5d6b78; --line: #e3e6ea; --accent: #0072b2; --track: #e6ebf0; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --card: #1c2228; --ink: #e8edf2;
  --quiet: #9aa8b5; --line: #2d353d; --accent: #56b4e9; --track: #2d353d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 2rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 0; }
p { margin: .35rem 0; max-width: 46rem; }
.quiet, figcaption, footer { color: var(--quiet); font-size: .9rem; }
nav { margin: .8rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .95rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
section { margin: 1.8rem 0; padding: 1.3rem 1.4rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .8rem; }
.grid { display: grid; gap: 1rem; margin-top: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(13.5rem, 100%), 1fr)); }
figure { margin: 0; }
img { display: block; width: 100%; height: auto; border-radius: .4rem; }
figcaption { margin-top: .35rem; }
.bar { margin-top: .4rem; }
.bar > span { display: flex; justify-content: space-between; gap: .6rem; font-size: .88rem; }
.bar > i { display: block; height: .3rem; border-radius: .2rem; background: var(--track); }
.bar > i > b { display: block; height: 100%; border-radius: .2rem; background: var(--accent); }
code { font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  background: var(--track); padding: .12em .4em; border-radius: .3em; overflow-wrap: anywhere; }
.times { margin-top: .9rem; color: var(--quiet); font-size: .85rem; max-width: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin-top: .6rem; font-size: .9rem; }
th, td { text-align: right; padding: .2rem .9rem .2rem 0; white-space: nowrap;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--quiet); font-weight: 500; }
footer { padding-bottom: 2.5rem; }
"""


def write_page(path: StrPath, sections: Sequence[Section]) -> None:
    """Write the sections to one self-contained file.

    Parameters
    ----------
    path : str or os.PathLike
    sections : sequence of Section

    Raises
    ------
    FileAccessError
        The file cannot be written.
    """
    text = page(sections)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def page(sections: Sequence[Section]) -> str:
    """Make the page's text.

    Parameters
    ----------
    sections : sequence of Section

    Returns
    -------
    str
        HTML with pictures as data.

    Examples
    --------
    >>> text = page([Section("Nothing", "There is nothing to see.", "fastcnn --help")])
    >>> text.startswith("<!doctype html>"), "There is nothing to see." in text
    (True, True)
    """
    shown = [section for section in sections if not section.missing or section.figures]
    left_out = [section for section in sections if section.missing and not section.figures]
    links = "".join(f'<a href="#{_anchor(s)}">{html.escape(s.title)}</a>' for s in shown)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>fastcnn demo</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<header>\n",
        "<h1>fastcnn</h1>\n<p>Convolutional networks from NumPy, on the CPU: what they do, on a "
        f"few pictures, computed here.</p>\n<p class='quiet'>{html.escape(_machine())}</p>\n",
        f"<nav>{links}</nav>\n</header>\n<main>\n",
        *map(_section, shown),
        _left_out(left_out),
        "</main>\n<footer><p>Made by <code>fastcnn demo</code>; <code>fastcnn --help</code> lists "
        "all commands.</p></footer>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _anchor(section: Section) -> str:
    return re.sub(r"\W+", "-", section.title.lower()).strip("-")


def _machine() -> str:
    """Say what computed this."""
    threads = config.get_num_threads()
    return (
        f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}, kernels for "
        f"{_C.max_isa().upper()}, float32 precision {config.get_float32_precision()}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _section(section: Section) -> str:
    figures = "".join(map(_figure, section.figures))
    grid = f'<div class="grid">{figures}</div>\n' if figures else ""
    note = f"<p class='quiet'>{html.escape(section.missing)}</p>\n" if section.missing else ""
    times = " · ".join(
        f"{html.escape(what)}: {_duration(seconds)}" for what, seconds in section.times
    )
    taken = f'<p class="times">{times}</p>\n' if times else ""
    return (
        f'<section id="{_anchor(section)}">\n<h2>{html.escape(section.title)}</h2>\n'
        f"<p>{html.escape(section.text)}</p>\n"
        f"<p><code>{html.escape(section.command)}</code></p>\n{note}{grid}"
        f"{_table(section.table) if section.table else ''}{taken}</section>\n"
    )


def _figure(figure: Figure) -> str:
    height, width = figure.picture.shape[:2]
    bars = "".join(
        f'<div class="bar"><span>{html.escape(name)}<span>{share:.0%}</span></span>'
        f'<i><b style="width:{100 * min(max(share, 0.0), 1.0):.1f}%"></b></i></div>'
        for name, share in figure.shares
    )
    said = figure.caption or ", ".join(name for name, _ in figure.shares)
    caption = f"<figcaption>{html.escape(figure.caption)}</figcaption>" if figure.caption else ""
    return (
        f'<figure><img src="{_data_uri(figure.picture)}" width="{width}" height="{height}" '
        f'alt="{html.escape(said, quote=True)}" loading="lazy">{caption}{bars}</figure>\n'
    )


def _data_uri(picture: Any) -> str:
    pillow = import_optional("PIL.Image", extra="images")
    encoded = io.BytesIO()
    pillow.fromarray(np.ascontiguousarray(picture)).save(encoded, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def _table(rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows[1:])
    return (
        f'<div class="scroll"><table><thead>{line("th", rows[0])}</thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.0f} ms"


def _left_out(sections: Sequence[Section]) -> str:
    if not sections:
        return ""
    rows = "".join(
        f"<li><b>{html.escape(s.title)}</b>: {html.escape(s.missing)}</li>\n" for s in sections
    )
    return f'<section id="left-out">\n<h2>Left out here</h2>\n<ul>\n{rows}</ul>\n</section>\n'
