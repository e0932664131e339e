"""The documents lead to files, headings and definitions that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops import walks

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        ROOT / "deploy" / "README.md",
        *ROOT.glob("docs/decisions/*.md"),
    ]
)
WORDS = 53_500
"""The most words of all documents: whoever adds some shortens others."""
FOLDERS = "deploy|services|shared|ops|tests|benchmarks|contracts|examples|docs"


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> Iterator[str]:
    """Yield the anchor of each heading, as GitHub makes it."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", DOCUMENTS, ids=named)
def test_each_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or file.suffix != ".md" or anchor in anchors(file), target


def test_the_documents_stay_short() -> None:
    assert sum(len(page.read_text().split()) for page in DOCUMENTS) <= WORDS


@pytest.mark.parametrize("page", DOCUMENTS, ids=named)
def test_each_path_in_the_code_is_one_that_there_is(page: Path) -> None:
    paths = re.findall(rf"`((?:{FOLDERS})/[\w./*-]*)(?::\d+)?`", page.read_text())
    assert [path for path in paths if not list(ROOT.glob(path.rstrip("/")))] == []


def test_the_walks_through_the_code_name_the_lines_of_their_definitions() -> None:
    text = walks.PAGE.read_text()
    places = walks.PLACE.findall(text)
    assert len(places) == len(re.findall(r"\.py:\d+", text)) > 20, "a line without a definition"
    stated = {f"{file}:{line}": name for name, _, file, line in places}
    assert stated == {f"{file}:{walks.line_of(file, name)}": name for name, _, file, _ in places}, (
        "write them anew with python -m tests.ops.walks"
    )
