from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline import schemas
from pipeline.config import Config
from pipeline.report import pool as pool_part
from pipeline.report.page import build_report
from pipeline.store.shards import read_dataset
from tests.report.example_run import (
    OVERRIDE,
    QUOTES,
    SCRIPT,
    Run,
    assets,
    rejected,
    write_everything,
    write_mined,
    write_pool,
    write_qa,
    write_retrieval,
)

VOID = {"meta", "link"}
ALLOWED = {*VOID, "html", "head", "title", "style", "body", "nav", "main", "header", "footer", "section", "article"}
ALLOWED |= {"a", "ul", "li", "h1", "h2", "h3", "h4", "p", "span", "bdi", "b", "i", "strong", "small", "code", "pre"}
ALLOWED |= {"div", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure"}
ALLOWED |= {"figcaption", "svg", "rect", "path", "text"}


class Page(HTMLParser):
    """Checks that tags balance, and keeps tags, attributes and the words a reader sees."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.styles if self.open[-1:] == ["style"] else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def built(run: Run) -> tuple[str, Page]:
    source = build_report(run.out, run.config).read_text(encoding="utf-8")
    return source, Page(source)


Whole = tuple[Run, str, Page]


@pytest.fixture(scope="module")
def whole(drawn: Run, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A finished run with its page, which no test changes."""
    run = Run(tmp_path_factory.mktemp("whole"), drawn.media, drawn.images, drawn.videos)
    write_everything(run)
    return run, *built(run)


def figure(source: str, name: str) -> str:
    """The number above a name at the top of the page."""
    found = re.search(rf'<dt>{name}</dt><dd class="value">([^<]+)</dd>', source)
    assert found is not None, name
    return found[1]


def test_counts_at_the_top_are_those_of_the_files(whole: Whole) -> None:
    run, source, _ = whole
    kept, lost = assets(run), rejected(run)
    train = [
        read_dataset(run.out / f"mined/{t}/train").to_pylist()
        for t in ("image_qa", "image_retrieval", "video_retrieval")
    ]
    queries = [
        len(read_dataset(run.out / f"synth/{t}/queries")) for t in ("image_qa", "image_retrieval", "video_retrieval")
    ]
    assert figure(source, "files found") == str(len({r["uri"] for r in [*kept, *lost]}))
    assert figure(source, "assets kept") == str(len(kept)) == "9"
    assert figure(source, "rejected") == str(len(lost)) == "9"
    assert figure(source, "tasks") == "3"
    assert figure(source, "queries") == str(sum(queries)) == "15"
    assert figure(source, "training rows") == str(sum(map(len, train))) == "12"
    assert figure(source, "hard negatives") == str(sum(len(row["negatives"]) for rows in train for row in rows))


def test_stages_and_reasons_are_told_with_their_counts(whole: Whole) -> None:
    _, _, page = whole
    for words in (
        "probe reads headers: medium, size, duration, hash 18 15 3",  # in, kept, rejected
        "align drops what fits least: below a figure, or the lowest percent 11 9 2",
        "misaligned a second model finds that the description does not fit 2",
        "too_short a segment shorter than min_scene_s 1",
    ):
        assert words in page.text


def test_categories_before_and_after_come_from_the_summary_and_the_shards(whole: Whole) -> None:
    _, _, page = whole
    assert "Natural/animal image 4 2" in page.text
    assert "Assets by category, before and after rebalancing" in page.text


def test_alignment_is_drawn_for_each_medium_with_its_limits(whole: Whole) -> None:
    run, source, page = whole
    images, videos = re.findall(r'<svg class="plot"[^>]*aria-label="Alignment of.*?</svg>', source)
    marked = r'<text class="mark[^>]*>([^<]+)<'
    assert re.findall(marked, images) == ["limit 0.2", "animal: limit 0.25, lowest 10 %"]
    assert re.findall(marked, videos) == ["limit 0.3, lowest 5 %"]
    kept = [a["media"] for a in assets(run)]
    assert f"image: kept {kept.count('image')}, misaligned 2" in images
    assert f"video: kept {kept.count('video')}, misaligned 0" in videos
    assert "Natural/animal image 7 0.250 the lowest 10 % go" in page.text
    assert "images 7 0.200 this figure" in page.text


def test_a_rebalanced_pool_shows_target_and_quotas(run: Run) -> None:
    run.config = Config.model_validate({"seed_pool": {"rebalance": {"target": "cap"}}})
    write_pool(run)
    text = built(run)[1].text
    assert "Rebalancing towards cap cuts each category to its quota" in text
    assert "Natural/animal image 4 2 3" in text
    assert "Natural/landscape image 2 1 –" in text


def test_share_of_negatives_above_the_mean_positive_is_counted_in_the_rows(whole: Whole) -> None:
    run, source, page = whole
    rows = read_dataset(run.out / "mined/image_qa/train").to_pylist()
    negatives = [(n["score"], row["positive_mean"]) for row in rows for n in row["negatives"]]
    above = sum(score > mean for score, mean in negatives)
    assert above > 0
    assert f"{above} of the negatives; look at these first" in page.text
    assert f'<dd class="value">{100 * above / len(negatives):.1f} %</dd>' in source
    assert "above mean positive" in page.text


def test_guard_hits_and_rejected_queries_are_shown(whole: Whole) -> None:
    _, _, page = whole
    assert "labelled_positive a positive of this very query 3" in page.text
    assert "positive_below_t_pos : its positives were recalled, but none scores above t+" in page.text
    assert "t+ 0.6, margin +0.1" in page.text


def test_guard_hits_by_sub_dataset_are_added_up(run: Run) -> None:
    write_everything(run)
    (run.out / "mined/image_qa/summary.json").write_text(
        '{"guard_hits": {"a": {"same_source": 2}, "b": {"same_source": 5}}}'
    )
    assert "same_source cut from the file of a positive 7" in built(run)[1].text


def test_hubness_is_shown_before_and_after_where_it_is_known(run: Run) -> None:
    write_everything(run)
    assert "How unevenly documents are used" not in built(run)[1].text
    told = {
        "recalled": {"n_k_skewness": 4.25, "largest": 90, "never": 0.125},
        "negatives": {"n_k_skewness": 1.5, "largest": 20, "never": 0.5},
    }
    (run.out / "mined/image_qa/summary.json").write_text(json.dumps({"guard_hits": {}, "hubness": told}))
    text = built(run)[1].text
    assert "what was recalled 4.25 90 12.5 %" in text
    assert "the negatives 1.50 20 50.0 %" in text


def test_negatives_that_beat_the_positive_are_marked_on_the_cards(whole: Whole) -> None:
    run, source, _ = whole
    rows = read_dataset(run.out / "mined/image_qa/train").to_pylist()
    shown = sum(n["score"] > row["positive_mean"] for row in rows for n in row["negatives"][:6])
    qa = source[source.index('<article id="mine-1">') : source.index('<article id="mine-2">')]
    assert qa.count('class="document negative above"') == shown
    assert qa.count('class="document positive"') == len(rows)


def test_hostile_names_and_texts_cannot_act_as_markup(whole: Whole) -> None:
    _, source, page = whole
    assert page.tags <= ALLOWED
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not [a for a in page.attributes if a[1].startswith("on") or a[1] == "style"]
    assert SCRIPT in page.text  # a reader sees the name itself
    assert "{{ 7*7 }}" in page.text
    assert "<i>nothing</i> & more" in page.text
    assert (
        html.escape(QUOTES.replace("\n", "[U+000A]"), quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        in source
    )


def test_direction_and_control_characters_are_spelt_out(whole: Whole) -> None:
    _, source, page = whole
    before, after = OVERRIDE.split("\u202e")
    assert f'<bdi>{before}<span class="code-point">U+202E</span>{after}</bdi>' in source
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00-\x08]", source)
    assert "U+000A" in page.text


def test_nothing_is_requested_from_anywhere(whole: Whole) -> None:
    _, source, page = whole
    assert not re.search(r"https?://", source)
    assert "@import" not in source
    for tag, name, value in page.attributes:
        if name in ("src", "href", "srcset", "action", "data", "poster"):
            assert value.startswith("#") or (tag, value) == ("link", "data:,")
    for address in re.findall(r"url\(([^)]*)\)", source):
        assert address.startswith("data:image/jpeg;base64,")


def test_policy_allows_the_styles_of_the_page_and_nothing_else(whole: Whole) -> None:
    _, _, page = whole
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in page.styles]
    assert len(hashes) == 2
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_links_of_the_contents_lead_somewhere(whole: Whole) -> None:
    _, _, page = whole
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    assert {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")} <= set(ids)


def test_every_picture_class_has_its_pixels(whole: Whole) -> None:
    _, _, page = whole
    used = {
        c for _, name, value in page.attributes if name == "class" for c in value.split() if re.fullmatch(r"p\d+", c)
    }
    assert used == set(re.findall(r"\.(p\d+){", "".join(page.styles)))
    assert len(used) >= 9  # six pictures and three segments


def test_same_files_give_the_same_bytes(run: Run) -> None:
    write_everything(run)
    first = build_report(run.out, run.config).read_bytes()
    assert build_report(run.out, run.config).read_bytes() == first
    assert list((run.out / ".work").iterdir()) == []


def test_an_empty_folder_names_the_first_command(run: Run) -> None:
    _, page = built(run)
    assert f"seed-pool build INPUT --out {run.out}" in page.text
    assert "Not run yet." in page.text
    assert "not run yet" in page.text  # the settings are plans


def test_a_pool_without_tasks_names_the_second_command(run: Run) -> None:
    write_pool(run)
    _, page = built(run)
    assert f"synth run --task all --out {run.out}" in page.text
    assert "Needs a synthesised task first." in page.text


def test_a_task_that_was_not_mined_is_named_with_its_command(run: Run) -> None:
    write_pool(run)
    write_qa(run)
    write_retrieval(run)
    write_mined(run, "image_qa")
    _, page = built(run)
    assert "Not mined yet: image_retrieval." in page.text
    assert f"mine --t-pos 0.6 --margin 0.1 --out {run.out}" in page.text


def test_without_summaries_the_shards_are_counted(run: Run) -> None:
    write_pool(run, summary=False)
    write_qa(run)
    write_mined(run, "image_qa", summary=False)
    source, page = built(run)
    assert figure(source, "rejected") == "9"
    assert "Assets by category Category" in page.text  # no before
    assert "Hits were not recorded." in page.text
    assert "duplicates same bytes, or mostly the same pixels – – 1" in page.text


def test_an_empty_pool_is_a_page_too(run: Run) -> None:
    run.write("seed_pool/rejected", [], schemas.ASSETS_REJECTED)
    run.write("seed_pool/assets", [], schemas.ASSETS)
    source, page = built(run)
    assert figure(source, "assets kept") == "0"
    assert "No asset was kept." in page.text
    assert "Nothing was rejected." in page.text


def test_a_task_that_kept_nothing_is_a_page_too(run: Run) -> None:
    write_pool(run)
    write_qa(run)
    run.write("mined/image_qa/rejected", [], schemas.MINE_REJECTED)
    run.write("mined/image_qa/train", [], schemas.TRAIN)
    source, page = built(run)
    assert figure(source, "training rows") == "0"
    assert "0 of the negatives" in page.text


def test_rejected_queries_of_a_foreign_data_set_are_counted(run: Run) -> None:
    write_everything(run)
    lost = [{"query_id": "elsewhere", "stage": "refine", "reason": "no_positive_in_top_k", "detail": "-"}]
    run.write("mined/image_qa/rejected", lost, schemas.MINE_REJECTED)
    _, page = built(run)
    assert "no_positive_in_top_k" in page.text
    assert "not among the queries of the data set" in page.text


def test_a_rejected_query_stands_in_its_sub_dataset(run: Run) -> None:
    write_everything(run)
    last = read_dataset(run.out / "synth/image_qa/queries").to_pylist()[-1]
    _, page = built(run)
    kept = sum(r["task_type"] == last["task_type"] for r in read_dataset(run.out / "mined/image_qa/train").to_pylist())
    assert f"{last['task_type']} en {kept} 1 " in page.text  # kept, positive_below_t_pos


def test_settings_come_from_the_manifests_not_from_the_caller(run: Run) -> None:
    write_everything(run)
    other = Config.model_validate({"mine": {"t_pos": 0.11}, "seed": 99})
    page = Page(build_report(run.out, other).read_text(encoding="utf-8"))
    assert "t+ 0.6 a positive must score above this" in page.text
    assert "Seed 0 of every random choice" in page.text
    assert "Embedder builtin / lite2" in page.text


def test_a_damaged_part_is_told_and_the_rest_shown(run: Run) -> None:
    write_everything(run)
    (run.out / "synth/image_qa/queries/part-00000.parquet").write_bytes(b"broken")
    source, page = built(run)
    assert "Part of this run cannot be shown." in page.text
    assert "part-00000.parquet cannot be read" in page.text
    assert figure(source, "assets kept") == "9"


def test_a_damaged_pool_manifest_is_told_once(run: Run) -> None:
    write_everything(run)
    (run.out / "seed_pool/assets/_manifest.json").write_text("{")
    _, page = built(run)
    assert page.text.count("is damaged") == 1
    assert "training rows" in page.text


def test_a_large_pool_is_sampled_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_part, "KEPT_TILES", 4)
    monkeypatch.setattr(pool_part, "REJECTED_TILES", 3)
    write_pool(run)
    _, page = built(run)
    assert "4 of 9, drawn evenly over categories; 5 more not shown" in page.text
    assert "3 of 9, drawn evenly over reasons; 6 more not shown" in page.text


def test_media_that_are_gone_leave_a_page_without_pictures(run: Run, tmp_path: Path) -> None:
    gone = Run(run.out, tmp_path / "moved", run.images, run.videos)
    write_everything(gone)
    source, page = built(gone)
    assert "data:image" not in source
    assert figure(source, "assets kept") == "9"
    assert SCRIPT in page.text
