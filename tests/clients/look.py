"""Pictures of every report, for eyes: in both languages, on a screen and on a telephone, light and dark, and of each page of
its PDF; with a contact sheet for each report and an index of all.

    python tests/clients/look.py --binary target/release/countinghouse --out FOLDER [--project FOLDER] [--report NAME ...]

Serves the demo of the project on free ports and a state of its own, and opens every report as its executive. Begin with
FOLDER/index.html. A page that is wider than its window is named there: nobody should have to scroll a page sideways. PDF pages
are drawn by `pdftoppm` (Debian package poppler-utils) or pypdfium2, whichever is there; without either the first page alone, by
the server itself (`format=png`). Needs Chromium and the standard library. Not a test: exit code 0 says that all pictures were
taken.
"""

import argparse
import base64
import html
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request

import browser
import serving

LANGUAGES = ["zh-CN", "en"]
WINDOWS = {"screen": (1280, 900), "phone": (390, 844)}
SCHEMES = ["light", "dark"]
LOGIN = "executive"
# Taller pictures than this are not drawn in one piece.
TALLEST = 12_000
# Dots an inch of PDF pages.
DENSITY = 80
STYLE = """
body { font: 14px/1.4 sans-serif; margin: 16px; background: #fff; color: #222; }
h1 { font-size: 20px; } h2 { font-size: 15px; margin: 20px 0 6px; }
.row { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start; }
figure { margin: 0; } figcaption { font-size: 12px; color: #555; }
img { display: block; height: 420px; border: 1px solid #bbb; object-fit: cover; object-position: top; }
.screen img { width: 440px; } .phone img { width: 200px; } .pdf img { width: auto; }
.wide figcaption { color: #b00; font-weight: 700; }
"""


def log_in(page, server):
    who = server.logins[LOGIN]
    page.go(f"{server.http}/login")
    fill = f"""
      document.querySelector('main [name=name]').value = {json.dumps(who.name)};
      document.querySelector('main [name=password]').value = {json.dumps(who.password)};
      document.querySelector('main form button').click()"""
    assert page.submit(fill) == 200
    assert not page.evaluate("location.pathname").startswith("/login"), page.evaluate("document.body.innerText")


def pictures(page):
    """The whole page from top to bottom, in as many PNG files as it takes."""
    size = page.call("Page.getLayoutMetrics")["cssContentSize"]
    for top in range(0, int(size["height"]), TALLEST):
        clip = {"x": 0, "y": top, "width": size["width"], "height": min(TALLEST, size["height"] - top), "scale": 1}
        answer = page.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        yield base64.b64decode(answer["data"])


def of_pages(page, server, report, folder):
    """Pictures of a report's page: (kind, file, caption, whether it is wider than its window)."""
    for language in LANGUAGES:
        for kind, (width, height) in WINDOWS.items():
            for scheme in SCHEMES:
                page.look(width, height, scheme)
                status = page.go(f"{server.http}/reports/{report}?lang={language}")
                assert status == 200, f"{report} in {language}: {status}"
                wide = page.evaluate("document.documentElement.scrollWidth") > width
                for number, picture in enumerate(pictures(page)):
                    name = f"{language}-{kind}-{scheme}{f'-{number + 1}' if number else ''}.png"
                    (folder / name).write_bytes(picture)
                    yield kind, name, f"{language}, {width} px, {scheme}" + (", wider than its window" if wide else ""), wide


def fetch(server, report, **parameters):
    request = urllib.request.Request(f"{server.http}/reports/{report}?{urllib.parse.urlencode(parameters)}")
    request.add_header("Authorization", f"Bearer {server.logins[LOGIN].token}")
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.read()


def draw(pdf):
    """PNG files of a PDF's pages beside it; `None` where no program is here that can."""
    stem = pdf.with_suffix("")
    if shutil.which("pdftoppm"):
        subprocess.run(["pdftoppm", "-r", str(DENSITY), "-png", pdf, stem], check=True)
        return sorted(pdf.parent.glob(f"{pdf.stem}-*.png"))
    if importlib.util.find_spec("pypdfium2"):
        import pypdfium2

        files = []
        for number, page in enumerate(pypdfium2.PdfDocument(pdf), 1):
            files.append(pathlib.Path(f"{stem}-{number:02}.png"))
            page.render(scale=DENSITY / 72).to_pil().save(files[-1])
        return files
    return None


def of_pdf(server, report, folder):
    for language in LANGUAGES:
        pdf = folder / f"{language}.pdf"
        for old in folder.glob(f"{pdf.stem}-[0-9]*.png"):
            old.unlink()
        pdf.write_bytes(fetch(server, report, lang=language, format="pdf"))
        files = draw(pdf)
        if files is None:
            files = [folder / f"{language}-1.png"]
            files[0].write_bytes(fetch(server, report, lang=language, format="png"))
        for number, file in enumerate(files, 1):
            yield "pdf", file.name, f"{language}, PDF page {number}", False


def head(title):
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>"


def sheet(title, taken, folder):
    """An HTML page of thumbnails, a row for each kind."""
    parts = [head(title)]
    for kind in [*WINDOWS, "pdf"]:
        parts.append(f"<h2>{kind}</h2><div class=row>")
        for found, name, caption, wide in taken:
            if found == kind:
                marks = f"{kind} wide" if wide else kind
                image = f'<a href="{name}"><img src="{name}" alt="{html.escape(caption)}"></a>'
                parts.append(f'<figure class="{marks}">{image}<figcaption>{html.escape(caption)}</figcaption></figure>')
        parts.append("</div>")
    (folder / "index.html").write_text("\n".join(parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--project", type=pathlib.Path, default=serving.PROJECT)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--report", action="append", help="this one alone; may be given several times")
    given = parser.parse_args()
    if not browser.PROGRAM:
        sys.exit("Chromium is not here: `make packages` says how to get it")
    serving.PROJECT = given.project.resolve()
    os.environ.pop("COUNTINGHOUSE_FLIGHT", None)
    os.environ["COUNTINGHOUSE_BIN"] = str(given.binary.resolve())
    found = sorted(path.parent.name for path in (serving.PROJECT / "reports").glob("*/report.yaml"))
    reports = [name for name in found if not given.report or name in given.report]
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    wide = []
    with serving.running() as server, browser.running() as chromium:
        with chromium.page() as page:
            log_in(page, server)
            for report in reports:
                folder = out / report
                folder.mkdir(exist_ok=True)
                taken = [*of_pages(page, server, report, folder), *of_pdf(server, report, folder)]
                sheet(report, taken, folder)
                wide += [f"{report}: {caption}" for _, _, caption, is_wide in taken if is_wide]
                print(f"{report}: {len(taken)} pictures", flush=True)
        # The sheets themselves as pictures, each small enough for one glance.
        with chromium.page() as page:
            page.look(1960)
            for report in reports:
                page.go((out / report / "index.html").as_uri())
                (out / f"{report}.png").write_bytes(next(pictures(page)))
    links = [f'<li><a href="{name}/index.html">{name}</a> <a href="{name}.png">(one picture)</a>' for name in reports]
    said = "".join(f"<li>{html.escape(line)}" for line in wide) or "<li>none"
    text = f"{head('Reports')}<ul>{''.join(links)}</ul><h2>Wider than their window</h2><ul>{said}</ul>"
    (out / "index.html").write_text(text)
    print("\n".join(f"wider than its window: {line}" for line in wide))
    print(f"look at {out / 'index.html'}")


if __name__ == "__main__":
    main()
