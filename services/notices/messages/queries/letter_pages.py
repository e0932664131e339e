"""The pages of letters as a PDF: addresses in the window of an envelope, then a control sheet.

Places are those of DIN 5008, form B, for A4 folded twice in a DL envelope with a window (DIN 680):
the address has 85 × 27.3 mm from 62.7 mm below the top edge, 20 mm from the left edge.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from fpdf import FPDF

from services.notices.channels.refusals import NoFont
from services.notices.channels.rules.letters import LetterRun
from services.notices.language import language_of
from services.notices.messages.queries.letters import ComposedLetter
from shared.translations import marked

LEFT, RIGHT, TOP, BOTTOM = 25.0, 20.0, 27.0, 22.0
"""Margins in millimetres; the first page of a letter begins with its address."""
SENDER_AT, ADDRESS_AT, SUBJECT_AT, FOLDS_AT = 57.7, 62.7, 98.5, (105.0, 210.0)
ADDRESS_WIDTH, ADDRESS_LINE, LINE = 78.0, 4.5, 5.5
SIZE, SMALL, SMALLEST = 10.5, 8.0, 6.0
"""Sizes of text in points."""
SUBJECT = marked("Your library account")
DEAR = marked("Dear {name},")
AS_OF = marked("This is the state of {day}. If you have done something about it since, thank you.")
SEE = marked("See your account at {address} or at any library.")
WHY = marked(
    "You get letters because you have not chosen e-mail. To get e-mails instead, give a library "
    "your e-mail address and choose e-mail under My Setting."
)
REPRINT = marked("Printed again")
CONTROL = marked("Control sheet: do not post")
COUNTS = marked("{letters} letters, {pages} pages")
LEFT_OUT = marked("Left out, because the address or the account is gone: {numbers}")
PAGES = marked("Pages of each letter, by its number:")
_CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_WORDS = re.compile(rf"[{_CJK}][，。、；：！？）」』》]*|[^\s{_CJK}]{{1,40}}\s*|\s+")
"""Pieces of a text between which a line may end: words that are not too long, and each Chinese
character."""

logging.getLogger("fpdf").setLevel(logging.ERROR)  # its warnings name characters of the texts
logging.getLogger("fontTools").setLevel(logging.ERROR)


def check_font(font: str) -> str:
    """Return the setting of the font if its file exists. Raises NoFont."""
    if not Path(font.partition("#")[0]).is_file():
        raise NoFont
    return font


def pdf_of(
    run: LetterRun,
    letters: Sequence[ComposedLetter],
    *,
    font: str,
    url: str,
    language: str,
    at: datetime,
) -> bytes:
    """Return the letters of a run as a PDF, the last page in the `language` of the staff.

    `font` is the path of a font file with Chinese characters, with `#` and the number of the face
    if it has several; the PDF embeds the characters that it uses. Raises NoFont.
    """
    pages = _Pages(run, font, at)
    counted = {one.number: pages.add_letter(one, url) for one in letters}
    pages.add_control_sheet(counted, language)
    return bytes(pages.output())


class _Pages(FPDF):
    """A PDF of letters that is written from the top to the bottom."""

    def __init__(self, run: LetterRun, font: str, at: datetime) -> None:
        super().__init__(format="A4")
        self._run = run
        self._footer = ""
        self._first = 0
        self._widths: dict[tuple[str, float], float] = {}
        path, _, face = font.partition("#")
        try:
            self.add_font("letter", fname=path, collection_font_number=int(face or 0))
        except (OSError, ValueError, IndexError, KeyError) as error:
            raise NoFont from error
        self.set_margins(LEFT, TOP, RIGHT)
        self.set_auto_page_break(True, BOTTOM)
        self.set_creation_date(at)
        self.set_title(run.id)

    def footer(self) -> None:
        """Write the run, the number of the letter and the page of the letter."""
        self.set_y(-BOTTOM + 8)
        self.set_font("letter", size=SMALL)
        self.cell(0, 4, f"{self._footer} · {self.page_no() - self._first}", align="C")

    def add_letter(self, letter: ComposedLetter, url: str) -> int:
        """Add the pages of a letter; return their number."""
        language = language_of(letter.language)
        self._begin(f"{self._run.id} · {letter.number}")
        if self._run.prints > 1:
            self._put(language.say(REPRINT), LEFT, TOP, SMALL)
        for fold in FOLDS_AT:
            self.line(3, fold, 7, fold)
        self._put(letter.library, LEFT, SENDER_AT, SMALL)
        for number, line in enumerate(letter.address):
            self._put(line, LEFT, ADDRESS_AT + number * ADDRESS_LINE, SIZE)
        self._put(language.day(self._run.day), 130, ADDRESS_AT, SIZE)
        self._put(language.say(SUBJECT), LEFT, SUBJECT_AT, SIZE + 1.5)
        self.set_xy(LEFT, SUBJECT_AT + 2 * LINE)
        self._paragraph(language.say(DEAR).format(name=letter.name))
        for message in letter.messages:
            for place, paragraph in enumerate(message.paragraphs):
                mark = "• " if len(letter.messages) > 1 and place == 0 else ""
                self._paragraph(mark + paragraph)
        self._paragraph(language.say(AS_OF).format(day=language.day(self._run.day)))
        self._paragraph(language.say(SEE).format(address=url))
        self._paragraph(letter.library)
        self._paragraph(language.say(WHY), SMALL)
        return self.page_no() - self._first

    def add_control_sheet(self, counted: dict[int, int], code: str) -> None:
        """Add the page that staff count by: numbers of letters with their pages, and no names."""
        language = language_of(code)
        self._begin(self._run.id)
        self._paragraph(language.say(CONTROL), SIZE + 3)
        self._paragraph(self._run.id, SIZE + 1.5)
        counts = language.say(COUNTS)
        self._paragraph(counts.format(letters=len(counted), pages=sum(counted.values())))
        missing = [str(one) for one in range(1, self._run.letters + 1) if one not in counted]
        if missing:
            self._paragraph(language.say(LEFT_OUT).format(numbers=", ".join(missing)))
        self._paragraph(language.say(PAGES))
        self._paragraph(", ".join(f"{number}: {count}" for number, count in counted.items()))

    def _begin(self, footer: str) -> None:
        self.add_page()  # ends the former page with its own footer
        self._footer = footer
        self._first = self.page_no() - 1

    def _put(self, text: str, left: float, top: float, size: float) -> None:
        """Write one line at a place, in a smaller size if it is too long for the window."""
        while True:
            self.set_font("letter", size=size)
            if self.get_string_width(text) <= ADDRESS_WIDTH or size <= SMALLEST:
                break
            size -= 0.5
        self.set_xy(left, top)
        self.cell(ADDRESS_WIDTH, ADDRESS_LINE, text)

    def _paragraph(self, text: str, size: float = SIZE) -> None:
        self.set_font("letter", size=size)
        for line in self._lines(text):
            self.cell(0, LINE, line, new_x="LMARGIN", new_y="NEXT")
        self.ln(LINE / 2)

    def _lines(self, text: str) -> Iterator[str]:
        """Yield the lines of a paragraph: words stay whole, Chinese may end after each character.

        No line begins with a mark of Chinese punctuation.
        """
        line, width = "", 0.0
        for piece in _WORDS.findall(text):
            if line and width + self._width(piece.rstrip()) > self.epw:
                yield line
                line, width = "", 0.0
            line += piece
            width += self._width(piece)
        yield line

    def _width(self, piece: str) -> float:
        """Return the width of a piece in this size; most come again, and are slow to measure."""
        key = (piece, self.font_size_pt)
        if key not in self._widths:
            self._widths[key] = self.get_string_width(piece)
        return self._widths[key]
