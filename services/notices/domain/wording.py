"""The words of a notification in each language: the same facts, whichever it is.

While fines are suspended no sentence about one names a sum, and none in any language asks for
money: the account shows what accrued before, and the letter does not. What was paid, waived,
lowered or given back is named always: that asks for nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime

LANGUAGES = ("en", "zh-Hant", "zh-Hans")


@dataclass(frozen=True)
class Facts:
    """What a notification has to say. Names are as people know them, sums as they are written."""

    title: str | None = None
    """Of the item on loan; None: not known here yet."""
    activity: str | None = None
    begins_at: datetime | None = None
    """When the activity begins, by the library's clocks."""
    venue: str | None = None
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
    refund: str | None = None
    """What is due back of what was paid."""
    refunded: bool = False
    """Whether the amount was given back."""
    charge_kind: str = "fine"
    starts_on: date | None = None
    resumes_on: date | None = None
    reopened_on: date | None = None
    shelf_until: date | None = None
    """The last day on which a reserved item is kept; None: no end is announced."""
    uncollected: bool = False


@dataclass(frozen=True)
class _Phrases:
    """One language. Each phrase is whole sentences, so that none is put together from words."""

    item: str
    """Stands for a title that is not known."""
    activity: str
    joined: str
    """Stands for the title of an activity that the patron registered for."""
    quoted: str
    day: Callable[[date], str]
    moment: Callable[[datetime], str]
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
    lost: str
    price: str
    processing: str
    hold_fee: str
    left_to_pay: str
    nothing_left: str
    lowered: str
    dropped: str
    refund_due: str
    refunded: str
    paid: str
    waived: str
    suspended: str
    resumed: str
    reopened: str
    stays_closed: str
    released: str
    reserved: str
    """Stands for the title of a reservation that is not known."""
    ready: str
    ready_until: str
    kept_on: str
    kept_until: str
    uncollected: str
    unserved: str
    cancelled: str
    placed: str
    placed_at: str
    withdraw: str
    rescheduled: str
    called_off: str
    called_off_at: str
    other: str


def _english(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _english_moment(at: datetime) -> str:
    half = "am" if at.hour < 12 else "pm"
    return f"{_english(at)} at {at.hour % 12 or 12}:{at.minute:02} {half}"


def _chinese(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _traditional_moment(at: datetime) -> str:
    return _chinese_moment(at, "時")


def _simplified_moment(at: datetime) -> str:
    return _chinese_moment(at, "时")


def _chinese_moment(at: datetime, hour: str) -> str:
    minutes = f"{at.minute}分" if at.minute else ""
    return f"{_chinese(at)}{_part_of_day(at.hour)}{at.hour % 12 or 12}{hour}{minutes}"


def _part_of_day(hour: int) -> str:
    if hour == 12:
        return "中午"
    return "凌晨" if hour < 6 else "上午" if hour < 12 else "下午"


_PHRASES: Mapping[str, _Phrases] = {
    "en": _Phrases(
        item="An item that you borrowed",
        activity="an activity of a kind that you follow",
        joined="an activity that you registered for",
        quoted="“{}”",
        day=_english,
        moment=_english_moment,
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
        lost="{title} is recorded as lost. If you find it, please bring it back.",
        price="{title} is lost: its price of {amount} was charged.",
        processing="{title} is lost: {amount} was charged for the work of replacing it.",
        hold_fee="A fee of {amount} for collecting a reserved item was charged.",
        left_to_pay="{outstanding} of it is still to be paid.",
        nothing_left="It is settled.",
        lowered="{title}: a charge was lowered and is now {amount}.",
        dropped="{title}: a charge was taken back in full.",
        refund_due="{refund} of what you paid is due back to you.",
        refunded="{title}: {amount} was given back to you.",
        paid="{title}: your payment of {amount} was received. Thank you.",
        waived="{title}: {amount} of a charge was waived.",
        suspended="Fines are suspended from {starts_on} for loans from the libraries concerned, "
        "yours among them.",
        resumed="Fines are counted again from {resumes_on} for overdue loans from the libraries "
        "concerned, yours among them.",
        reopened="{branch} reopens on {reopened_on}.",
        stays_closed="{branch} stays closed: it does not reopen on the day that was announced. "
        "Another day will be announced.",
        released="The recording of {activity} can be watched now.",
        reserved="An item that you reserved",
        ready="{title} can be collected at {branch} once the library is open again.",
        ready_until="{title} can be collected at {branch} until {shelf_until}.",
        kept_on="{title} is kept for you at {branch} for as long as the library is closed.",
        kept_until="{title} is kept for you at {branch} until {shelf_until}, because the library "
        "is closed for a time.",
        uncollected="{title} was not collected at {branch} in time. The reservation has ended.",
        unserved="{title} did not become free by the day that you chose. The reservation has "
        "ended.",
        cancelled="The library has cancelled your reservation: {title}.",
        placed="A place has become free, and it is yours: {activity}.",
        placed_at="A place has become free, and it is yours: {activity}, on {begins_at}.",
        withdraw="If you cannot come, please withdraw, so that the next in line gets it.",
        rescheduled="There is a change to {activity}: it begins on {begins_at}. Venue: {venue}.",
        called_off="Cancelled: {activity}. Your registration has ended.",
        called_off_at="Cancelled: {activity}, on {begins_at}. Your registration has ended.",
        other="There is news in your account.",
    ),
    "zh-Hant": _Phrases(
        item="您借閱的一項資料",
        activity="您所關注類別的一項活動",
        joined="您報名參加的一項活動",
        quoted="《{}》",
        day=_chinese,
        moment=_traditional_moment,
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
        lost="{title}已記錄為遺失。如您尋回，請交還圖書館。",
        price="{title}已遺失，須賠償書價{amount}。",
        processing="{title}已遺失，另收補購手續費{amount}。",
        hold_fee="已收取領取預約資料的費用{amount}。",
        left_to_pay="尚待繳付{outstanding}。",
        nothing_left="款項已結清。",
        lowered="{title}：一項收費已調低，現為{amount}。",
        dropped="{title}：其中一項收費已全數撤銷。",
        refund_due="您已付款項中的{refund}將退還給您。",
        refunded="{title}：已退還{amount}。",
        paid="{title}：已收到您繳付的{amount}，謝謝。",
        waived="{title}：一項收費中的{amount}已獲豁免。",
        suspended="由{starts_on}起，從有關圖書館借出的資料（包括您所借的）暫停計算逾期罰款。",
        resumed="由{resumes_on}起，從有關圖書館借出的逾期資料（包括您所借的）恢復計算罰款。",
        reopened="{branch}將於{reopened_on}重新開放。",
        stays_closed="{branch}繼續關閉，不會於早前公布的日期重新開放。新的日期將另行公布。",
        released="{activity}的錄影現可觀看。",
        reserved="您預約的一項資料",
        ready="圖書館重開後，您可到{branch}領取{title}。",
        ready_until="您可於{shelf_until}或之前到{branch}領取{title}。",
        kept_on="圖書館關閉期間，{branch}會繼續為您保留{title}。",
        kept_until="由於圖書館暫時關閉，{branch}會為您保留{title}至{shelf_until}。",
        uncollected="您未有於期限內到{branch}領取{title}，預約已終止。",
        unserved="{title}未能於您所選的日期或之前備妥，預約已終止。",
        cancelled="圖書館已取消您的預約：{title}。",
        placed="您已由候補名單獲得名額：{activity}。",
        placed_at="您已由候補名單獲得名額：{activity}，{begins_at}舉行。",
        withdraw="如未能出席，請取消報名，讓名額轉給下一位輪候者。",
        rescheduled="{activity}有所更改：現定於{begins_at}舉行，地點：{venue}。",
        called_off="{activity}已取消，您的報名亦告失效。",
        called_off_at="原定於{begins_at}舉行的{activity}已取消，您的報名亦告失效。",
        other="您的帳戶有新消息。",
    ),
    "zh-Hans": _Phrases(
        item="您借阅的一项资料",
        activity="您所关注类别的一项活动",
        joined="您报名参加的一项活动",
        quoted="《{}》",
        day=_chinese,
        moment=_simplified_moment,
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
        lost="{title}已记录为遗失。如您寻回，请交还图书馆。",
        price="{title}已遗失，须赔偿书价{amount}。",
        processing="{title}已遗失，另收补购手续费{amount}。",
        hold_fee="已收取领取预约资料的费用{amount}。",
        left_to_pay="尚待缴付{outstanding}。",
        nothing_left="款项已结清。",
        lowered="{title}：一项收费已调低，现为{amount}。",
        dropped="{title}：其中一项收费已全数撤销。",
        refund_due="您已付款项中的{refund}将退还给您。",
        refunded="{title}：已退还{amount}。",
        paid="{title}：已收到您缴付的{amount}，谢谢。",
        waived="{title}：一项收费中的{amount}已获豁免。",
        suspended="由{starts_on}起，从有关图书馆借出的资料（包括您所借的）暂停计算逾期罚款。",
        resumed="由{resumes_on}起，从有关图书馆借出的逾期资料（包括您所借的）恢复计算罚款。",
        reopened="{branch}将于{reopened_on}重新开放。",
        stays_closed="{branch}继续关闭，不会于早前公布的日期重新开放。新的日期将另行公布。",
        released="{activity}的录像现可观看。",
        reserved="您预约的一项资料",
        ready="图书馆重开后，您可到{branch}领取{title}。",
        ready_until="您可于{shelf_until}或之前到{branch}领取{title}。",
        kept_on="图书馆关闭期间，{branch}会继续为您保留{title}。",
        kept_until="由于图书馆暂时关闭，{branch}会为您保留{title}至{shelf_until}。",
        uncollected="您未在期限内到{branch}领取{title}，预约已终止。",
        unserved="{title}未能于您所选的日期或之前备妥，预约已终止。",
        cancelled="图书馆已取消您的预约：{title}。",
        placed="您已由候补名单获得名额：{activity}。",
        placed_at="您已由候补名单获得名额：{activity}，{begins_at}举行。",
        withdraw="如未能出席，请取消报名，让名额转给下一位轮候者。",
        rescheduled="{activity}有所更改：现定于{begins_at}举行，地点：{venue}。",
        called_off="{activity}已取消，您的报名亦告失效。",
        called_off_at="原定于{begins_at}举行的{activity}已取消，您的报名亦告失效。",
        other="您的账户有新消息。",
    ),
}


def text(kind: str, facts: Facts, language: str) -> str:
    """What a notification of `kind` (a topic) says. An unknown language is told in English."""
    phrases = _PHRASES.get(language, _PHRASES["en"])
    said = {name: _said(getattr(facts, name), phrases) for name in _NAMES}
    of_hold = kind.startswith("hold.") or facts.charge_kind == "hold-fee"
    item = phrases.reserved if of_hold else phrases.item
    said["title"] = phrases.quoted.format(facts.title) if facts.title else item
    one = phrases.activity if kind == "recording.released" else phrases.joined
    said["activity"] = phrases.quoted.format(facts.activity) if facts.activity else one
    return phrases.between.join(
        sentence.format(**said) for sentence in _sentences(kind, facts, phrases)
    )


_NAMES = tuple(field.name for field in fields(Facts))


def _said(value: object, phrases: _Phrases) -> str:
    if isinstance(value, datetime):
        return phrases.moment(value)
    if isinstance(value, date):
        return phrases.day(value)
    return "" if value is None else str(value)


def _sentences(kind: str, facts: Facts, phrases: _Phrases) -> list[str]:
    if kind.startswith("loan."):
        return _of_loan(kind, facts, phrases)
    if kind.startswith("fine."):
        return _of_charge(kind, facts, phrases)
    match kind:
        case "fines.suspended":
            return [phrases.suspended, *_again(facts, phrases)]
        case "fines.resumed":
            return [phrases.resumed]
        case "branch.reopened":
            return [phrases.reopened]
        case "branch.closure-changed":
            return [phrases.stays_closed]
        case "recording.released":
            return [phrases.released]
        case "registration.confirmed":
            return [phrases.placed_at if facts.begins_at else phrases.placed, phrases.withdraw]
        case "registration.cancelled":
            return [phrases.called_off_at if facts.begins_at else phrases.called_off]
        case "activity.rescheduled":
            return [phrases.rescheduled, phrases.withdraw]
    return [_of_hold(kind, facts, phrases) or phrases.other]


def _of_hold(kind: str, facts: Facts, phrases: _Phrases) -> str:
    """The sentence of a notification about a hold; empty for any other."""
    match kind:
        case "hold.ready":
            return phrases.ready_until if facts.shelf_until else phrases.ready
        case "hold.changed":
            return phrases.kept_until if facts.shelf_until else phrases.kept_on
        case "hold.expired":
            return phrases.uncollected if facts.uncollected else phrases.unserved
        case "hold.cancelled":
            return phrases.cancelled
    return ""


def _of_loan(kind: str, facts: Facts, phrases: _Phrases) -> list[str]:
    overdue = phrases.overdue if facts.notice == 1 else phrases.still_overdue
    match kind:
        case "loan.due-soon":
            return [phrases.due_soon]
        case "loan.overdue" if facts.suspended:
            return [overdue, phrases.not_counted, *_again(facts, phrases)]
        case "loan.overdue":
            return [overdue, phrases.accrued if facts.amount else phrases.nothing_accrued]
        case "loan.due-date-changed" if _earlier(facts):
            return [phrases.restored]
        case "loan.due-date-changed":
            return [phrases.moved]
        case "loan.lost":
            return [phrases.lost]
    return [phrases.other]


def _of_charge(kind: str, facts: Facts, phrases: _Phrases) -> list[str]:
    match kind:
        case "fine.assessed" if facts.charge_kind != "fine":
            left = phrases.left_to_pay if facts.outstanding else phrases.nothing_left
            return [_charged(facts.charge_kind, phrases), left]
        case "fine.assessed" if facts.suspended:
            return [phrases.fine_suspended]
        case "fine.assessed":
            return [phrases.fine if facts.outstanding else phrases.fine_settled]
        case "fine.adjusted" if facts.refunded:
            return [phrases.refunded]
        case "fine.adjusted":
            due_back = [phrases.refund_due] if facts.refund else []
            return [phrases.lowered if facts.amount else phrases.dropped, *due_back]
        case "fine.paid":
            return [phrases.paid]
        case "fine.waived":
            return [phrases.waived]
    return [phrases.other]


def _again(facts: Facts, phrases: _Phrases) -> list[str]:
    return [phrases.counted_again] if facts.resumes_on else []


def _charged(kind: str, phrases: _Phrases) -> str:
    return {
        "lost": phrases.price,
        "lost-processing": phrases.processing,
        "hold-fee": phrases.hold_fee,
    }[kind]


def _earlier(facts: Facts) -> bool:
    """Whether a due date moved back, as it does only where an error is put right."""
    return bool(facts.due_on and facts.previous_due_on and facts.due_on < facts.previous_due_on)
