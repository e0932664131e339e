"""Librarians add titles by ISBN, look after them, number copies and print their labels."""

import re
from collections.abc import AsyncIterator
from functools import partial
from urllib.parse import quote

import pytest

from services.gateway.web.barcodes import bars, code_128
from services.gateway.web.catalogue.copies import spine_lines
from services.gateway.web.session import PLACE, SESSION
from tests.gateway.web.browser import Browser, Page, insist
from tests.library import Library, unique

NOVEMBER_2 = "2020-11-02T10:00:00+08:00"
MODULES = (
    "6cc 66c 666 498 48c 44c 4c8 4c4 464 648 644 624 59c 4dc 4ce 5cc 4ec 4e6 672 65c 64e 6e4 674 "
    "76e 74c 72c 726 764 734 732 6d8 6c6 636 518 458 446 588 468 462 688 628 622 5b8 58e 46e 5d8 "
    "5c6 476 776 68e 62e 6e8 6e2 6ee 758 746 716 768 762 71a 77a 642 78a 530 50c 4b0 486 42c 426 "
    "590 584 4d0 4c2 434 432 612 650 7ba 614 47a 53c 4bc 49e 5e4 4f4 4f2 7a4 794 792 6de 6f6 7b6 "
    "578 51e 45e 5e8 5e2 7a8 7a2 5de 5ee 75e 7ae 684 690 69c"
)
"""The eleven modules of each symbol of Code 128 as a hexadecimal number, a bar's module as 1."""
BY_MODULES = {f"{int(one, 16):011b}": value for value, one in enumerate(MODULES.split(" "))}
STOP = "1100011101011"


def scanned(svg: str) -> str:
    """Return the text in a picture of Code 128 B, as a scanner reads it from dark and light."""
    width = int(re.findall(r'viewBox="0 0 (\d+) \d+"', svg)[0])
    line = ["0"] * width
    for at, wide in re.findall(r"M(\d+) 0h(\d+)v", svg):
        line[int(at) : int(at) + int(wide)] = "1" * int(wide)
    modules = "".join(line)
    assert modules.startswith("0" * 10 + "1"), "no quiet zone before"
    assert modules.endswith(STOP + "0" * 10), "no quiet zone after"
    inner = modules.strip("0")[: -len(STOP)]
    start, *values, check = [BY_MODULES[inner[at : at + 11]] for at in range(0, len(inner), 11)]
    assert start == 104, "not code set B"
    assert check == (start + sum(n * value for n, value in enumerate(values, 1))) % 103
    return "".join(chr(32 + value) for value in values)


@pytest.mark.parametrize(
    "text", ["D000004", "HKCL-00001", "a", "-", "z9-Q" * 10, "".join(map(chr, range(32, 127)))]
)
def test_a_scanner_reads_what_a_label_says(text: str) -> None:
    assert scanned(bars(text).replace("&#34;", '"')) == text
    assert sum(code_128(text)) == 11 * (len(text) + 2) + 13


def test_a_label_has_no_other_letters_than_those_of_the_code() -> None:
    for wrong in ("館", "a\n", "\x7f"):
        with pytest.raises(ValueError, match="ASCII"):
            bars(wrong)


def test_a_spine_has_a_line_for_each_part_of_the_call_number() -> None:
    assert spine_lines("823.92 WON", None) == ["823.92", "WON"]
    assert spine_lines("QA76.73.P98 L88 2013", "v. 2") == [
        *("QA", "76.73", ".P98", "L88", "2013", "v. 2")
    ]
    assert spine_lines("857.7 8834", "上冊") == ["857.7", "8834", "上冊"]


@pytest.fixture
async def desk(library: Library) -> AsyncIterator[Browser]:
    """A librarian's browser, at no library yet."""
    async with Browser(library.system.gateway_url, at=NOVEMBER_2) as browser:
        browser.give(SESSION, library.tokens["staff"])
        yield browser


async def seen(desk: Browser, path: str) -> Page:
    separator = "&" if "?" in path else "?"
    return await insist(partial(desk.get, f"{path}{separator}lang=en"))


def isbn() -> str:
    """Return an ISBN that no other test uses."""
    twelve = f"978{int(unique('1')[1:], 16) % 10**9:09}"
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"


async def test_a_title_is_added_by_its_isbn_with_copies_and_labels(
    library: Library, desk: Browser
) -> None:
    branch = await library.branch("district")
    await library.flow.settle(within=60)
    number = isbn()
    page = await seen(desk, f"/desk/titles/new?isbn={number}")
    assert f'value="{number}"' in page.html
    typed = {
        "title_proper": "Boats of paper",
        "authors": "Wong, Ka-yan\nLi, Mei",
        "title_languages": "English, chi",
    }
    page = await desk.submit(page, "/desk/titles/new", **typed, year="2016", publisher="Lantern")
    assert "The title is in the catalogue. Now add its copies." in page.text
    series, copies_at = unique("N") + "-001", page.path
    more = {"branch": branch, "count": "3", "first_barcode": series, "call_number": "823.92 WON"}
    page = await desk.submit(page, copies_at, **more)
    assert "3 copies are added. Print their labels here." in page.text
    made = [scanned(svg) for svg in re.findall("<svg viewBox.*?</svg>", page.html)]
    assert made == [f"{series[:-3]}{n:03}" for n in (1, 2, 3)]
    assert page.text.count("823.92 WON") == 3
    title = copies_at.removesuffix("/copies")
    as_readers_see_it = await seen(desk, title.replace("/desk/titles/", "/catalogue/"))
    assert f'href="{title}"' in as_readers_see_it.html
    page = await seen(desk, title)
    assert "English · Chinese" in page.text
    assert all(barcode in page.text for barcode in made)
    # The same ISBN, now as ten digits, leads to the title; the next copies begin as the last.
    again = await seen(desk, f"/desk/titles/new?isbn={number}")
    assert (again.path.partition("?")[0], "in the catalogue already" in again.text) == (title, True)
    page = await seen(desk, copies_at)
    assert 'value="823.92 WON"' in page.html
    page = await desk.submit(page, copies_at, barcodes=f"{unique('S')}\n{made[0]}", branch=branch)
    assert "Another item has this barcode already." in page.text
    sheet = await seen(desk, f"{title}/labels?kind=barcodes&first=24")
    assert sheet.html.count('<li class="label"></li>') == 23


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("9780061120085", "The check digit of this ISBN is wrong."),
        ("0-06-112008-2", "The check digit of this ISBN is wrong."),
        ("4006381333931", "This is no ISBN: it has 10 digits, or 13 that begin with 978 or 979."),
        ("館 <b>", "This is no ISBN"),
    ],
)
async def test_a_page_says_clearly_why_a_code_is_no_isbn(
    desk: Browser, typed: str, told: str
) -> None:
    page = await seen(desk, f"/desk/titles/new?isbn={quote(typed)}")
    assert told in page.text
    assert "Add a title without an ISBN" in page.text


async def test_a_change_by_somebody_else_stands_beside_what_was_typed(
    library: Library, desk: Browser
) -> None:
    body = {
        "title": "Kite",
        "authors": ["Lui, Tai-lok"],
        "kind": "book",
        "copies": [],
        "record": {
            "series": [{"title": "Tales", "number": "3"}],
            "identifiers": [{"scheme": "issn", "value": "0317-8471"}],
            "subjects": ["Kites", "Wind"],
            "summary": "Two\nlines",
        },
    }
    made = await library.post("/v1/titles", body, by="staff")
    here = f"/desk/titles/{made['id']}/edit"
    page = await seen(desk, here)
    assert all(text in page.html for text in ("Tales; 3", "ISSN 0317-8471", "Kites\nWind"))
    changed = {"title": "Kites", "record": {"edition": "2nd"}}
    await library.try_("PATCH", f"/v1/titles/{made['id']}", changed, by="staff")
    page = await desk.submit(page, here, title_proper="Kite flying")
    assert "Somebody else has changed this since you opened it" in page.text
    assert "Stored now: Kites" in page.text
    assert "Stored now: 2nd" in page.text
    assert 'value="Kite flying"' in page.html
    page = await desk.submit(page, here)
    assert "The title is saved." in page.text
    stored = await library.get(f"/v1/titles/{made['id']}", by="staff")
    assert stored["title"] == "Kite flying"
    assert stored["record"]["series"] == [{"title": "Tales", "number": "3"}]
    assert stored["record"]["subjects"] == ["Kites", "Wind"]
    page = await seen(desk, here)
    page = await desk.submit(page, here, title_languages="klingon", identifiers="ISSN 1")
    assert {'href="#title_languages"', 'href="#identifiers"'} <= set(
        re.findall('href="#[a-z_]+"', page.html)
    )


async def test_the_page_says_why_a_file_is_no_marc_file(desk: Browser) -> None:
    page = await seen(desk, "/desk/titles")
    assert "up to 5 MB and 500 records" in page.text
    for content, told in (
        (b"", "This file has no MARC records."),
        (b"\n", "This file has no MARC records."),
        (b"x" * (5 * 1024**2 + 1), "The file is too large."),
        (b"\x1d".join([b"x"] * 502), "The file has more than 500 records."),
    ):
        fields = page.form("/desk/titles/imports").fields
        token = next(value for name, value in fields if name == "form")
        parts = (
            b'form"\r\n\r\n' + token.encode(),
            b'marc"; filename="a.mrc"\r\nContent-Type: application/marc\r\n\r\n' + content,
        )
        head = b'--x\r\nContent-Disposition: form-data; name="'
        body = b"".join(head + part + b"\r\n" for part in parts) + b"--x--\r\n"
        kind = "multipart/form-data; boundary=x"
        answer = await desk.send("/desk/titles/imports", body, kind)
        assert told in answer.text


async def test_a_copy_is_changed_moved_and_remembers_it(library: Library, desk: Browser) -> None:
    branch, other = await library.branch("district"), await library.branch("district")
    [barcode] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    desk.give(PLACE, branch)
    here = f"/desk/copies/{barcode}"
    page = await seen(desk, f"{here}/edit")
    faulty = await desk.submit(page, f"{here}/edit", price="a lot")
    assert 'href="#price"' in faulty.html
    more = {"price": "128.50", "volume": "v. 2", "note": "The map is missing"}
    page = await desk.submit(faulty, f"{here}/edit", **more)
    assert "The item is saved." in page.text
    assert "Price of a new one $128.50" in page.text
    page = await desk.submit(page, f"{here}/move", to=other)
    assert f"The item belongs to Library {other} now. Send it there." in page.text
    assert f"Given to this library by Library {branch}" in page.text
