"""A page in a real headless Chromium: what its script made of it, what it printed, and what it asked for."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import pytest

needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on PATH: no page is opened")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync --disable-default-apps --disable-extensions --hide-scrollbars"


OWN = re.compile(r"//[^/]*\.(?:google|googleapis|gstatic)\.com")  # what Chromium asks for by itself
TELL = """
const p = document.createElement("pre");
p.id = "told";
p.textContent = JSON.stringify([value, performance.getEntriesByType("resource").map((entry) => entry.name)]);
document.body.append(p);
"""


class Seen:
    """What a browser made of a page: the document, console messages, and addresses that were asked for."""

    def __init__(self, dom, console, addresses):
        self.dom, self.console, self.addresses = dom, console, addresses

    @property
    def told(self):
        """What the driver script left."""
        return self._left()[0]

    @property
    def resources(self):
        """Addresses of everything that the page loaded."""
        return self._left()[1]

    def _left(self):
        return json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', self.dom, re.DOTALL)[1]))


def look(tmp_path, page, driver="", *flags):
    """Open a page; ``driver`` is a script that runs after the page's own, and may call ``tell(value)``."""
    if driver:  # a copy of the page whose policy allows the driver, and nothing else more
        script = f"const tell = (value) => {{ {TELL} }};\n{driver}"
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        text = page.read_text(encoding="utf-8").replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
        page = page.with_name(f"driven-{page.name}")
        page.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    command = ["chromium", *FLAGS.split(), "--enable-logging=stderr", f"--log-net-log={tmp_path / 'net.json'}"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    asked = re.findall(r'"(?:url|host)":"((?:https?|wss?)://[^"]+)"', (tmp_path / "net.json").read_text())
    return Seen(done.stdout, console, {address for address in asked if not OWN.search(address)})


FRAME = """
const frame = document.createElement("iframe");
frame.width = 390;
frame.height = 800;
frame.srcdoc = text;
frame.onload = () => { const page = frame.contentDocument, view = frame.contentWindow; DRIVER };
document.body.append(frame);
"""
# A word is broken where its letters stand on several lines; text is cut where a box shows less than it holds.
FLAWS = """
const words = [], cut = [];
const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode()); ) {
  if (node.parentElement.closest("script,style,code,pre,.text,svg") || !node.parentElement.offsetParent) continue;
  for (const found of node.data.matchAll(/[^\\s-]+/g)) {
    const range = page.createRange();
    range.setStart(node, found.index);
    range.setEnd(node, found.index + found[0].length);
    if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) words.push(found[0]);
  }
}
for (const box of page.querySelectorAll("body *")) {
  if (box.closest("select,input,.text,.skip") || !box.offsetParent) continue;
  if (box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible") cut.push(box.className);
}
for (const picture of page.querySelectorAll("svg")) {
  if (!picture.getClientRects().length) continue;
  const edge = picture.getBoundingClientRect();
  for (const word of picture.querySelectorAll("text")) {
    const at = word.getBoundingClientRect();
    if (at.right > edge.right + 1 || at.left < edge.left - 1 || at.height < 10) cut.push(word.textContent);
  }
}
const {scrollWidth, clientWidth} = page.documentElement;
tell({words, cut, wide: scrollWidth - clientWidth, there: clientWidth});
"""


def flaws_on_a_phone(tmp_path, page):
    """What a screen of 390 px breaks inside a word, or cuts off, of a page of ours."""
    held = tmp_path / "phone.html"
    text = json.dumps(page.read_text(encoding="utf-8")).replace("<", "\\u003c")
    driver = f"const text = {text}; const tell = (value) => {{ {TELL} }};\n"
    held.write_text(
        "<!doctype html><meta charset=utf-8><body><script>" + driver + FRAME.replace("DRIVER", FLAWS) + "</script>",
        encoding="utf-8",
    )
    return look(tmp_path, held).told
