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
