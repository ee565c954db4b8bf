"""Keeps the contract of classifier/ml/trainer.py in milliseconds: `fake_trainer.py HOW CANDIDATE FOLDER`.

CANDIDATE is a folder with what a trainer leaves. One that hangs has a child of its own, as with scikit-learn.
One that waits does so for a file `go` beside CANDIDATE. It ends by itself when its stdin does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def follow_parent() -> None:
    # Not through sys.stdin, whose lock this thread would still hold when the interpreter ends.
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def search(folder: Path) -> None:
    asked = json.loads((folder / "request.json").read_text())
    say(stage="read", done=0, total=1)
    say(stage="read", done=1, total=1, log=f"asked for {asked['estimator']} from {asked['start']}")
    print("a library’s own words", flush=True)
    say(stage="search", done=1, total=2, score=0.5)
    say(stage="search", done=2, total=2, score=0.6)
    for epoch in (1, 2, 3):
        figures = {"epoch": epoch, "accuracy": epoch / 4, "val_accuracy": epoch / 5, "loss": 2 / epoch}
        say(stage="fit", done=epoch, total=3, curve=figures)


def leave(candidate: Path, folder: Path) -> None:
    for file in candidate.iterdir():
        shutil.copyfile(file, folder / file.name)


def main(how: str, candidate: Path, folder: Path) -> int:
    threading.Thread(target=follow_parent, daemon=True).start()
    search(folder)
    if how == "crash":
        raise RuntimeError("no such layer")
    if how == "disk full":
        raise OSError(28, "No space left on device")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "refuses":
        say(refused="Only one label is left.", reason="one_class")
        return 3
    if how in {"hangs", "stubborn"}:
        if how == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (candidate.parent / "pids").write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)
    while how == "waits" and not (candidate.parent / "go").exists():
        time.sleep(0.05)
    if how != "leaves nothing":
        leave(candidate, folder)
    if how == "leaves a damaged artifact":
        (folder / "candidate.onnx").write_bytes(b"onnx")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
