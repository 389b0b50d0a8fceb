"""Takes items out of the pool and of everything made from it: the one errand that leads through all three rooms."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

from pipeline.mine.data_set_removal import data_sets_with_media_of_the_pool, removal_in, remove_from_data_set
from pipeline.mine.labels import ASSET_COLUMNS
from pipeline.mine.removal import mined_folders, remove_exports, remove_from_mined, sweep_caches
from pipeline.seed_pool.removal import remove_fetched, remove_frames, remove_from_pool, remove_replies
from pipeline.store.removal import Gone, Loss, Removal, Rewriter
from pipeline.store.shards import read_dataset
from pipeline.synth.removal import lost_by, remove_from_task, task_folders


def take_out(out: Path, removal: Removal, dry: bool) -> list[Loss]:
    """Take `removal` out of all that lies in `out`, the pool last: a run that is killed can be started again."""
    rewriter = Rewriter(out / ".work", dry)
    if not dry:  # rows of a killed run
        shutil.rmtree(rewriter.work, ignore_errors=True)
    tasks, others = task_folders(out), data_sets_with_media_of_the_pool(out)
    gone: defaultdict[str, Gone] = defaultdict(Gone, {f.name: lost_by(f, removal) for f in [*tasks, *others]})
    mined = mined_folders(out)
    touched = [f.name for f in mined if remove_from_mined(f, removal_in(out, f, removal), gone[f.name], rewriter)]
    exports = remove_exports(out, touched, dry)
    assets = read_dataset(out / "seed_pool" / "assets", list(ASSET_COLUMNS))
    vectors = 0 if dry else sweep_caches(out, tasks, assets, gone)
    for folder in others:
        remove_from_data_set(folder, gone[folder.name], rewriter)
    for folder in tasks:
        remove_from_task(folder, removal, gone[folder.name], rewriter)
    frames, fetched = remove_frames(out, removal, dry), remove_fetched(out, removal, dry)
    replies = remove_replies(out, removal, rewriter)
    remove_from_pool(out, removal, rewriter)
    more = [Loss(f"export/{name}, to be exported again", 1) for name in exports]
    caches = {"frames": frames, "fetched": fetched, "embeddings": vectors, "replies": replies}
    return [*rewriter.losses, *more, *(Loss(f"cache/{name}", files) for name, files in caches.items())]
