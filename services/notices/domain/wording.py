"""The words of a notification in each language: the same facts, whichever it is.

While fines are suspended no sentence names a sum, and none in any language asks for money: the
account shows what accrued before, and the letter does not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date

LANGUAGES = ("en", "zh-Hant", "zh-Hans")


@dataclass(frozen=True)
class Facts:
    """What a notification has to say. Names are as people know them, sums as they are written."""

    title: str | None = None
    """Of the item on loan; None: not known here yet."""
    activity: str | None = None
    branch: str | None = None
    due_on: date | None = None
    previous_due_on: date | None = None
    notice: int = 1
    """The how manieth of an overdue loan."""
    as_of: date | None = None
    suspended: bool = False
    amount: str | None = None
    """As `$7.50`; None: nothing is owed."""
    outstanding: str | None = None
    starts_on: date | None = None
    resumes_on: date | None = None
    reopened_on: date | None = None


@dataclass(frozen=True)
class _Phrases:
    """One language. Each phrase is whole sentences, so that none is put together from words."""

    item: str
    """Stands for a title that is not known."""
    activity: str
    quoted: str
    day: Callable[[date], str]
    between: str
    due_soon: str
    overdue: str
    still_overdue: str
    not_counted: str
    counted_again: str
    accrued: str
    nothing_accrued: str
    moved: str
    restored: str
    fine: str
    fine_settled: str
    fine_suspended: str
    suspended: str
    resumed: str
    reopened: str
    released: str
    other: str


def _english(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _chinese(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


_PHRASES: Mapping[str, _Phrases] = {
    "en": _Phrases(
        item="An item that you borrowed",
        activity="an activity of a kind that you follow",
        quoted="“{}”",
        day=_english,
        between=" ",
        due_soon="{title} is due on {due_on}. Please return or renew it by then.",
        overdue="{title} was due on {due_on} and is overdue. Please return or renew it.",
        still_overdue="Reminder {notice}: {title} was due on {due_on} and is still overdue. Please "
        "return or renew it.",
        not_counted="Fines are suspended: none is being counted for it now.",
        counted_again="They are counted again from {resumes_on}.",
        accrued="The fine up to {as_of} is {amount}, payable after its return or renewal.",
        nothing_accrued="Up to {as_of} there is no fine.",
        moved="{title} is now due on {due_on} instead of {previous_due_on}, because the library "
        "is closed.",
        restored="{title} is due on {due_on} again instead of {previous_due_on}: a closure of the "
        "library was announced in error.",
        fine="{title}: a fine of {amount} was recorded. {outstanding} of it is still to be paid.",
        fine_settled="{title}: a fine of {amount} was recorded. It is settled.",
        fine_suspended="{title}: a fine from the time before fines were suspended was recorded. "
        "Your account shows it.",
        suspended="Fines are suspended from {starts_on} for loans from the libraries concerned, "
        "yours among them.",
        resumed="Fines are counted again from {resumes_on} for overdue loans from the libraries "
        "concerned, yours among them.",
        reopened="{branch} reopens on {reopened_on}.",
        released="The recording of {activity} can be watched now.",
        other="There is news in your account.",
    ),
    "zh-Hant": _Phrases(
        item="您借閱的一項資料",
        activity="您所關注類別的一項活動",
        quoted="《{}》",
        day=_chinese,
        between="",
        due_soon="{title}將於{due_on}到期，請於當日或之前歸還或續借。",
        overdue="{title}已於{due_on}到期，現已逾期。請歸還或續借。",
        still_overdue="第{notice}次通知：{title}已於{due_on}到期，至今仍逾期未還。請歸還或續借。",
        not_counted="現正暫停計算罰款，此項資料目前不計逾期罰款。",
        counted_again="將由{resumes_on}起恢復計算。",
        accrued="截至{as_of}的逾期罰款為{amount}，請於歸還或續借後繳付。",
        nothing_accrued="截至{as_of}並無罰款。",
        moved="由於圖書館關閉，{title}的到期日由{previous_due_on}改為{due_on}。",
        restored="早前誤發圖書館關閉的消息，{title}的到期日由{previous_due_on}改回{due_on}。",
        fine="{title}：已記錄罰款{amount}，尚待繳付{outstanding}。",
        fine_settled="{title}：已記錄罰款{amount}，並已結清。",
        fine_suspended="{title}：已記錄暫停計算罰款之前的罰款，詳情見您的帳戶。",
        suspended="由{starts_on}起，從有關圖書館借出的資料（包括您所借的）暫停計算逾期罰款。",
        resumed="由{resumes_on}起，從有關圖書館借出的逾期資料（包括您所借的）恢復計算罰款。",
        reopened="{branch}將於{reopened_on}重新開放。",
        released="{activity}的錄影現可觀看。",
        other="您的帳戶有新消息。",
    ),
    "zh-Hans": _Phrases(
        item="您借阅的一项资料",
        activity="您所关注类别的一项活动",
        quoted="《{}》",
        day=_chinese,
        between="",
        due_soon="{title}将于{due_on}到期，请于当日或之前归还或续借。",
        overdue="{title}已于{due_on}到期，现已逾期。请归还或续借。",
        still_overdue="第{notice}次通知：{title}已于{due_on}到期，至今仍逾期未还。请归还或续借。",
        not_counted="现正暂停计算罚款，此项资料目前不计逾期罚款。",
        counted_again="将由{resumes_on}起恢复计算。",
        accrued="截至{as_of}的逾期罚款为{amount}，请于归还或续借后缴付。",
        nothing_accrued="截至{as_of}并无罚款。",
        moved="由于图书馆关闭，{title}的到期日由{previous_due_on}改为{due_on}。",
        restored="早前误发图书馆关闭的消息，{title}的到期日由{previous_due_on}改回{due_on}。",
        fine="{title}：已记录罚款{amount}，尚待缴付{outstanding}。",
        fine_settled="{title}：已记录罚款{amount}，并已结清。",
        fine_suspended="{title}：已记录暂停计算罚款之前的罚款，详情见您的账户。",
        suspended="由{starts_on}起，从有关图书馆借出的资料（包括您所借的）暂停计算逾期罚款。",
        resumed="由{resumes_on}起，从有关图书馆借出的逾期资料（包括您所借的）恢复计算罚款。",
        reopened="{branch}将于{reopened_on}重新开放。",
        released="{activity}的录像现可观看。",
        other="您的账户有新消息。",
    ),
}


def text(kind: str, facts: Facts, language: str) -> str:
    """What a notification of `kind` (a topic) says. An unknown language is told in English."""
    phrases = _PHRASES.get(language, _PHRASES["en"])
    said = {name: _said(getattr(facts, name), phrases) for name in _NAMES}
    said["title"] = phrases.quoted.format(facts.title) if facts.title else phrases.item
    said["activity"] = phrases.quoted.format(facts.activity) if facts.activity else phrases.activity
    return phrases.between.join(
        sentence.format(**said) for sentence in _sentences(kind, facts, phrases)
    )


_NAMES = tuple(field.name for field in fields(Facts))


def _said(value: object, phrases: _Phrases) -> str:
    if isinstance(value, date):
        return phrases.day(value)
    return "" if value is None else str(value)


def _sentences(kind: str, facts: Facts, phrases: _Phrases) -> list[str]:
    again = [phrases.counted_again] if facts.resumes_on else []
    overdue = phrases.overdue if facts.notice == 1 else phrases.still_overdue
    match kind:
        case "loan.due-soon":
            return [phrases.due_soon]
        case "loan.overdue" if facts.suspended:
            return [overdue, phrases.not_counted, *again]
        case "loan.overdue":
            return [overdue, phrases.accrued if facts.amount else phrases.nothing_accrued]
        case "loan.due-date-changed" if _earlier(facts):
            return [phrases.restored]
        case "loan.due-date-changed":
            return [phrases.moved]
        case "fine.assessed" if facts.suspended:
            return [phrases.fine_suspended]
        case "fine.assessed":
            return [phrases.fine if facts.outstanding else phrases.fine_settled]
        case "fines.suspended":
            return [phrases.suspended, *again]
        case "fines.resumed":
            return [phrases.resumed]
        case "branch.reopened":
            return [phrases.reopened]
        case "recording.released":
            return [phrases.released]
    return [phrases.other]


def _earlier(facts: Facts) -> bool:
    """Whether a due date moved back, as it does only where an error is put right."""
    return bool(facts.due_on and facts.previous_due_on and facts.due_on < facts.previous_due_on)
