"""What becomes of hostile files, and of the good ones beside them: a part of data_juicer.py."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import data_juicer_media as media
from data_juicer_media import Files
from data_juicer_ours import Ours
from data_juicer_peer import Operators, Peer, PeerRun

Rows = list[dict[str, Any]]
SHAPE: Operators = [{"image_shape_filter": {}}]
SHAPE_ONE_BY_ONE: Operators = [{"image_shape_filter": {"batch_size": 1}}]


def hostile_rows(ours: Ours, peer: Peer, root: Path, wait_s: float) -> dict[str, Rows]:
    """A line for each side and run. `told`: the reason stands in a data set or, of Data-Juicer, the file in the log."""
    pictures, fate = media.hostile(root / "hostile pictures", media.PICTURE_NAMES, media.good_picture)
    clips, fate_of_clips = media.hostile(root / "hostile clips", media.VIDEO_NAMES, media.good_clip)
    split: Operators = [
        {"video_resolution_filter": {}},
        {"video_split_by_scene_mapper": {"save_dir": str(peer.work / "hostile scenes")}},
    ]
    rows = [our_row("pictures", ours, pictures, fate)]
    for name, operators in (("batches of 1,000 (default)", SHAPE), ("batches of 1", SHAPE_ONE_BY_ONE)):
        rows.append(their_row(f"pictures, {name}", peer.run(f"hostile {name}", "images", pictures, operators), fate))
    rows.append(our_row("clips", ours, clips, fate_of_clips))
    rows.append(their_row("clips", peer.run("hostile clips", "videos", clips, split), fate_of_clips))
    waiting, fate = media.with_fifo(root / "fifo")
    rows.append(our_row("FIFO and 3 pictures", ours, waiting, fate))
    rows.append(their_row("FIFO and 3 pictures", peer.run("fifo", "images", waiting, SHAPE_ONE_BY_ONE, wait_s), fate))
    return {"hostile": rows}


def our_row(name: str, ours: Ours, files: Files, fate: Mapping[str, str]) -> dict[str, Any]:
    run = ours.unharmed(files)
    # A clip that is damaged in the middle keeps what lies before: it counts as dropped where the rest is a reject.
    dropped = {f for f in files if f in run.rejected}
    return {"files": name, "by": "ours", "ended": "yes", **row(files, fate, dropped, dropped)}


def their_row(name: str, run: PeerRun, fate: Mapping[str, str]) -> dict[str, Any]:
    dropped = set(fate) - run.kept.keys()
    ended = "yes" if run.code == 0 else "no: waits"
    return {"files": name, "by": "DJ", "ended": ended, **row(fate, fate, dropped, run.logged)}


def row(
    files: Collection[str], fate: Mapping[str, str], dropped: Collection[str], told: Collection[str]
) -> dict[str, Any]:
    good = [f for f in files if fate[f] == "good"]
    odd = [f for f in files if fate[f] == "odd"]
    broken = [f for f in files if fate[f] not in ("good", "odd")]
    return {
        "good": len(good),
        "kept": sum(f not in dropped for f in good),
        "odd": len(odd),
        "odd kept": sum(f not in dropped for f in odd),
        "broken": len(broken),
        "dropped": sum(f in dropped for f in broken),
        "told": sum(f in told for f in broken),
        "broken, yet kept": ", ".join(f for f in broken if f not in dropped),
    }
