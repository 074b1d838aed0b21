"""The page that stands in for a dashboard that was not built."""

from html import escape

REMEDY = (
    "Build it with `make dashboard` in a checkout, or install Tailslide anew where the npm registry can be reached; "
    "then start Tower again."
)

_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Tailslide</title>
    <style>
      :root {{ color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif; }}
      main {{ max-width: 32rem; margin: 12vh auto; padding: 0 16px; }}
      h1 {{ font-size: 1.25rem; }}
    </style>
  </head>
  <body>
    <main>
      <h1>This Tower has no dashboard</h1>
      <p>The dashboard is missing because {reason}. {remedy}</p>
      <p>Everything else works: <a href="/api/docs">the API</a>, the command line, and the flags of your sidecars.</p>
    </main>
  </body>
</html>
"""


def missing_page(reason: str) -> str:
    """Return the page. `reason` follows the word "because"."""
    return _PAGE.format(reason=escape(reason), remedy=escape(REMEDY))
