"""The sentences of notifications in each language; `wording` chooses among them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

LANGUAGES = ("en", "zh-Hant", "zh-Hans")


@dataclass(frozen=True)
class Phrases:
    """The phrases of one language. Each is one or more complete sentences, for grammar's sake."""

    item: str
    """Replaces an unknown title."""
    activity: str
    joined: str
    """Replaces the unknown title of an activity that the patron registered for."""
    libraries: str
    """Replaces unknown libraries."""
    comma: str
    and_: str
    quoted: str
    day: Callable[[date], str]
    moment: Callable[[datetime], str]
    between: str
    due_soon: str
    overdue: str
    still_overdue: str
    not_counted: str
    counted_again: str
    counted_again_instead: str
    not_counted_again: str
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
    suspended_instead: str
    resumed: str
    resumed_instead: str
    not_suspended: str
    reopened: str
    reopened_instead: str
    stays_closed: str
    stays_closed_on: str
    not_closed: str
    released: str
    reserved: str
    """Replaces the unknown title of a reservation."""
    ready: str
    ready_from: str
    ready_until: str
    ready_from_until: str
    kept_on: str
    kept_from: str
    kept_until: str
    uncollected: str
    unserved: str
    cancelled: str
    placed: str
    placed_at: str
    withdraw: str
    rescheduled: str
    moved_to: str
    other_venue: str
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


PHRASES: Mapping[str, Phrases] = {
    "en": Phrases(
        item="An item that you borrowed",
        activity="an activity of a kind that you follow",
        joined="an activity that you registered for",
        libraries="the libraries concerned",
        comma=", ",
        and_=" and ",
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
        counted_again_instead="They are counted again from {resumes_on}, not from "
        "{previous_resumes_on} as announced before.",
        not_counted_again="They are not counted again from {previous_resumes_on} as announced "
        "before. Another day will be announced.",
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
        suspended="Fines are suspended from {starts_on} for your loans from {libraries}.",
        suspended_instead="Fines are suspended from {starts_on}, not from {previous_starts_on} as "
        "announced before, for your loans from {libraries}.",
        resumed="Fines are counted again from {resumes_on} for your overdue loans from "
        "{libraries}.",
        resumed_instead="Fines are counted again from {resumes_on}, not from "
        "{previous_resumes_on} as announced before, for your overdue loans from {libraries}.",
        not_suspended="Fines are not suspended from {starts_on} as announced before: overdue days "
        "of your loans from {libraries} are counted.",
        reopened="{branch} reopens on {reopened_on}.",
        reopened_instead="{branch} reopens on {reopened_on}, not on {previous_reopened_on} as "
        "announced before.",
        stays_closed="{branch} stays closed: it does not reopen on the day that was announced. "
        "Another day will be announced.",
        stays_closed_on="{branch} does not reopen on {previous_reopened_on} as announced before. "
        "Another day will be announced.",
        not_closed="{branch} is open: the closure until {previous_reopened_on} that was announced "
        "before no longer holds.",
        released="The recording of {activity} can be watched now.",
        reserved="An item that you reserved",
        ready="{title} can be collected at {branch} once the library is open again.",
        ready_from="{title} can be collected at {branch} from {collect_from}, when the library is "
        "open again.",
        ready_until="{title} can be collected at {branch} until {shelf_until}.",
        ready_from_until="{title} can be collected at {branch} from {collect_from}, when the "
        "library is open again, until {shelf_until}.",
        kept_on="{title} is kept for you at {branch} for as long as the library is closed.",
        kept_from="{title} is kept for you at {branch}. You can collect it from {collect_from}, "
        "when the library is open again, until {shelf_until}.",
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
        moved_to="There is a change to {activity}: it begins on {begins_at}, not on "
        "{previous_begins_at} as announced before. Venue: {venue}.",
        other_venue="The venue {previous_venue}, announced before, no longer holds.",
        called_off="Cancelled: {activity}. Your registration has ended.",
        called_off_at="Cancelled: {activity}, on {begins_at}. Your registration has ended.",
        other="There is news in your account.",
    ),
    "zh-Hant": Phrases(
        item="您借閱的一項資料",
        activity="您所關注類別的一項活動",
        joined="您報名參加的一項活動",
        libraries="有關圖書館",
        comma="、",
        and_="及",
        quoted="《{}》",
        day=_chinese,
        moment=_traditional_moment,
        between="",
        due_soon="{title}將於{due_on}到期，請於當日或之前歸還或續借。",
        overdue="{title}已於{due_on}到期，現已逾期。請歸還或續借。",
        still_overdue="第{notice}次通知：{title}已於{due_on}到期，至今仍逾期未還。請歸還或續借。",
        not_counted="現正暫停計算罰款，此項資料目前不計逾期罰款。",
        counted_again="將由{resumes_on}起恢復計算。",
        counted_again_instead="將由{resumes_on}起恢復計算，而非早前公布的{previous_resumes_on}。",
        not_counted_again="早前公布由{previous_resumes_on}起恢復計算的安排已取消，新的日期將另行公布。",
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
        suspended="由{starts_on}起，您從{libraries}借出的資料暫停計算逾期罰款。",
        suspended_instead="由{starts_on}起（而非早前公布的{previous_starts_on}），您從{libraries}借出的資料暫停計算逾期罰款。",
        resumed="由{resumes_on}起，您從{libraries}借出的逾期資料恢復計算罰款。",
        resumed_instead="由{resumes_on}起（而非早前公布的{previous_resumes_on}），您從{libraries}借出的逾期資料恢復計算罰款。",
        not_suspended="早前公布由{starts_on}起暫停計算罰款的安排已取消：您從{libraries}借出的資料，逾期日數照常計算。",
        reopened="{branch}將於{reopened_on}重新開放。",
        reopened_instead="{branch}將於{reopened_on}重新開放，而非早前公布的{previous_reopened_on}。",
        stays_closed="{branch}繼續關閉，不會於早前公布的日期重新開放。新的日期將另行公布。",
        stays_closed_on="{branch}不會於早前公布的{previous_reopened_on}重新開放，新的日期將另行公布。",
        not_closed="{branch}現已開放，早前公布關閉至{previous_reopened_on}的安排已取消。",
        released="{activity}的錄影現可觀看。",
        reserved="您預約的一項資料",
        ready="圖書館重開後，您可到{branch}領取{title}。",
        ready_from="{branch}重開後，您可由{collect_from}起到該館領取{title}。",
        ready_until="您可於{shelf_until}或之前到{branch}領取{title}。",
        ready_from_until="{branch}重開後，您可由{collect_from}起到該館領取{title}，期限為{shelf_until}。",
        kept_on="圖書館關閉期間，{branch}會繼續為您保留{title}。",
        kept_from="{branch}會繼續為您保留{title}。圖書館重開後，您可由{collect_from}起領取，期限為{shelf_until}。",
        kept_until="由於圖書館暫時關閉，{branch}會為您保留{title}至{shelf_until}。",
        uncollected="您未有於期限內到{branch}領取{title}，預約已終止。",
        unserved="{title}未能於您所選的日期或之前備妥，預約已終止。",
        cancelled="圖書館已取消您的預約：{title}。",
        placed="您已由候補名單獲得名額：{activity}。",
        placed_at="您已由候補名單獲得名額：{activity}，{begins_at}舉行。",
        withdraw="如未能出席，請取消報名，讓名額轉給下一位輪候者。",
        rescheduled="{activity}有所更改：現定於{begins_at}舉行，地點：{venue}。",
        moved_to="{activity}有所更改：現定於{begins_at}舉行，而非早前公布的{previous_begins_at}，地點：{venue}。",
        other_venue="早前公布的地點（{previous_venue}）不再適用。",
        called_off="{activity}已取消，您的報名亦告失效。",
        called_off_at="原定於{begins_at}舉行的{activity}已取消，您的報名亦告失效。",
        other="您的帳戶有新消息。",
    ),
    "zh-Hans": Phrases(
        item="您借阅的一项资料",
        activity="您所关注类别的一项活动",
        joined="您报名参加的一项活动",
        libraries="有关图书馆",
        comma="、",
        and_="及",
        quoted="《{}》",
        day=_chinese,
        moment=_simplified_moment,
        between="",
        due_soon="{title}将于{due_on}到期，请于当日或之前归还或续借。",
        overdue="{title}已于{due_on}到期，现已逾期。请归还或续借。",
        still_overdue="第{notice}次通知：{title}已于{due_on}到期，至今仍逾期未还。请归还或续借。",
        not_counted="现正暂停计算罚款，此项资料目前不计逾期罚款。",
        counted_again="将由{resumes_on}起恢复计算。",
        counted_again_instead="将由{resumes_on}起恢复计算，而非早前公布的{previous_resumes_on}。",
        not_counted_again="早前公布由{previous_resumes_on}起恢复计算的安排已取消，新的日期将另行公布。",
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
        suspended="由{starts_on}起，您从{libraries}借出的资料暂停计算逾期罚款。",
        suspended_instead="由{starts_on}起（而非早前公布的{previous_starts_on}），您从{libraries}借出的资料暂停计算逾期罚款。",
        resumed="由{resumes_on}起，您从{libraries}借出的逾期资料恢复计算罚款。",
        resumed_instead="由{resumes_on}起（而非早前公布的{previous_resumes_on}），您从{libraries}借出的逾期资料恢复计算罚款。",
        not_suspended="早前公布由{starts_on}起暂停计算罚款的安排已取消：您从{libraries}借出的资料，逾期日数照常计算。",
        reopened="{branch}将于{reopened_on}重新开放。",
        reopened_instead="{branch}将于{reopened_on}重新开放，而非早前公布的{previous_reopened_on}。",
        stays_closed="{branch}继续关闭，不会于早前公布的日期重新开放。新的日期将另行公布。",
        stays_closed_on="{branch}不会于早前公布的{previous_reopened_on}重新开放，新的日期将另行公布。",
        not_closed="{branch}现已开放，早前公布关闭至{previous_reopened_on}的安排已取消。",
        released="{activity}的录像现可观看。",
        reserved="您预约的一项资料",
        ready="图书馆重开后，您可到{branch}领取{title}。",
        ready_from="{branch}重开后，您可由{collect_from}起到该馆领取{title}。",
        ready_until="您可于{shelf_until}或之前到{branch}领取{title}。",
        ready_from_until="{branch}重开后，您可由{collect_from}起到该馆领取{title}，期限为{shelf_until}。",
        kept_on="图书馆关闭期间，{branch}会继续为您保留{title}。",
        kept_from="{branch}会继续为您保留{title}。图书馆重开后，您可由{collect_from}起领取，期限为{shelf_until}。",
        kept_until="由于图书馆暂时关闭，{branch}会为您保留{title}至{shelf_until}。",
        uncollected="您未在期限内到{branch}领取{title}，预约已终止。",
        unserved="{title}未能于您所选的日期或之前备妥，预约已终止。",
        cancelled="图书馆已取消您的预约：{title}。",
        placed="您已由候补名单获得名额：{activity}。",
        placed_at="您已由候补名单获得名额：{activity}，{begins_at}举行。",
        withdraw="如未能出席，请取消报名，让名额转给下一位轮候者。",
        rescheduled="{activity}有所更改：现定于{begins_at}举行，地点：{venue}。",
        moved_to="{activity}有所更改：现定于{begins_at}举行，而非早前公布的{previous_begins_at}，地点：{venue}。",
        other_venue="早前公布的地点（{previous_venue}）不再适用。",
        called_off="{activity}已取消，您的报名亦告失效。",
        called_off_at="原定于{begins_at}举行的{activity}已取消，您的报名亦告失效。",
        other="您的账户有新消息。",
    ),
}
