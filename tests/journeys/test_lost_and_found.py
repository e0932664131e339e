"""One lost and found book: a patron is notified once of each change of their account."""

import pytest

from tests.library import Library, unique

LATE = "2020-11-26T10:00:00+08:00"
"""Ten days after the due date."""

TOLD = {
    "en": [
        (
            "“{title}” was recorded as lost. You've been charged $135.00 in all. Price: $100.00. "
            "Replacement: $20.00. Overdue fine: $15.00. To pay: $135.00. "
            "If you find it, please bring it back."
        ),
        "“{title}”: your payment of $135.00 was received. Thank you.",
        "“{title}” was found, so its price is no longer charged. You'll get $100.00 back.",
        "“{title}”: $100.00 was refunded to you.",
    ],
    "zh-Hant": [
        (
            "《{title}》已記錄為遺失，須繳費用合共$135.00。書價：$100.00。補購手續費：$20.00。"
            "逾期罰款：$15.00。待繳：$135.00。如您尋回，請交還圖書館。"
        ),
        "《{title}》：已收到您繳付的$135.00，謝謝。",
        "《{title}》已尋回，不再收取書價。您將獲退還$100.00。",
        "《{title}》：已退還$100.00。",
    ],
    "zh-Hans": [
        (
            "《{title}》已记录为遗失，须缴费用合共$135.00。书价：$100.00。补购手续费：$20.00。"
            "逾期罚款：$15.00。待支付：$135.00。如您找回，请交还图书馆。"
        ),
        "《{title}》：已收到您支付的$135.00，谢谢。",
        "《{title}》已找回，不再收取书价。您将获退还$100.00。",
        "《{title}》：已退还$100.00。",
    ],
}


@pytest.mark.parametrize("language", TOLD)
async def test_the_story_of_a_lost_and_found_book_gives_one_notification_for_each_change(
    library: Library, language: str
) -> None:
    library.now = "2020-11-02T10:00:00+08:00"
    branch = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(branch, language=language)
    barcode = unique("K")
    copy = {"barcode": barcode, "category": "adult", "branch": branch, "price_cents": 10_000}
    title = f"Title {barcode}"
    body = {"title": title, "authors": ["A. Author"], "kind": "book", "copies": [copy]}
    await library.post("/v1/titles", body, by="staff")
    [loan] = await library.lend(card, [barcode], branch)

    library.now = LATE
    await library.post(f"/v1/loans/{loan['id']}/loss", by=card)
    told = [await texts(library, card)]
    charges = (await library.get("/v1/me/charges", by=card))["items"]
    assert len(charges) == 3
    owing = [charge["id"] for charge in charges]
    await library.post("/v1/payments", {"charge_ids": owing}, by=card)
    told.append(await texts(library, card))
    await library.take_back([barcode], branch)
    told.append(await texts(library, card))
    [price] = [charge["id"] for charge in charges if charge["kind"] == "lost"]
    await library.post(f"/v1/charges/{price}/refund", by="staff")
    told.append(await texts(library, card))

    expected = [text.format(title=title) for text in TOLD[language]]
    assert told == [expected[:count] for count in range(1, 5)]


async def texts(library: Library, card: str) -> list[str]:
    """Return a patron's notifications once all events are processed, oldest first."""
    await library.flow.settle(within=60)
    items = (await library.get("/v1/me/inbox?limit=200", by=card))["items"]
    return [item["text"] for item in reversed(items)]
