"""My Account in a browser: with the eyes of axe-core, in each language, and as it changes."""

import pytest
from playwright.async_api import expect

from tests.web.axe import no_serious_findings
from tests.web.browser import Windows, scrolls_sideways
from tests.web.session import log_in
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

LANGUAGES = ["en", "zh-Hant", "zh-Hans"]
RENEW_ALL = {"en": "Renew all", "zh-Hant": "全部續借", "zh-Hans": "全部续借"}
RENEWED = {"en": "renewed until 12 March 2021", "zh-Hant": "已續借至2021年3月12日"}
RENEWED["zh-Hans"] = "已续借至2021年3月12日"
RESTART = {
    "en": "Fines restart on 5 March 2021: HK$1.50 a day for this item.",
    "zh-Hant": "罰款將由2021年3月5日起恢復計算：此項資料每日 HK$1.50。",
    "zh-Hans": "罚款自2021年3月5日起恢复计算：该文献每天 HK$1.50。",
}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_patron_renews_and_is_told_the_reference(
    windows: Windows, story: Story, language: str, scripts: bool
) -> None:
    page = await windows.open(language, scripts=scripts)
    await log_in(page, await story.reader(language))
    await expect(page.locator("html")).to_have_attribute("lang", language)
    await expect(page.get_by_text(RESTART[language])).to_be_visible()
    await page.get_by_role("button", name=RENEW_ALL[language]).click()
    said = page.locator("#said p", has_text=RENEWED[language])
    await expect(said).to_have_count(2)
    if scripts:
        await expect(page.locator("#said")).to_be_focused()
    await expect(page.get_by_text(RESTART[language])).to_have_count(0)


async def test_a_fine_is_looked_at_day_by_day_and_paid(windows: Windows, story: Story) -> None:
    page = await windows.open(width=390)
    await log_in(page, await story.debtor())
    await page.get_by_role("link", name="Overdue fine").click()
    await expect(page.locator(".strip i")).to_have_count(4)
    await expect(page.get_by_text("4 days · charged")).to_be_visible()
    assert not await scrolls_sideways(page)
    await no_serious_findings(page)
    await page.get_by_role("link", name="Back to My Account").click()
    await page.get_by_role("button", name="Pay selected").click()
    await expect(page.locator("#said")).to_contain_text("Paid: HK$6.00. Thank you.")


async def test_by_keyboard_alone_one_loan_is_chosen_and_renewed(
    windows: Windows, story: Story
) -> None:
    page = await windows.open()
    await log_in(page, await story.reader())
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator("input[name=loan]").first).to_be_focused()
    await page.keyboard.press("Space")
    await page.locator("#renew-chosen").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#said p", has_text="Reference")).to_have_count(1)


async def test_the_account_changes_before_ones_eyes_and_keeps_what_was_ticked(
    windows: Windows, story: Story
) -> None:
    card = await story.reader()
    page = await windows.open()
    await log_in(page, card)
    await page.evaluate("window.loaded = 'once'")
    tick = page.locator("input[name=loan]").first
    await tick.check()
    await expect(tick).to_be_focused()
    [barcode] = await story.library.copies(CENTRAL, 1)
    await story.library.flow.settle()
    await story.library.lend(card, [barcode], CENTRAL)
    await expect(page.locator("tbody input[name=loan]")).to_have_count(3)
    await expect(page.locator("#announcer")).to_have_text("Your account has changed.")
    assert await page.evaluate("window.loaded") == "once"
    await expect(page.locator("input[name=loan]:checked")).to_have_count(1)
    await expect(page.locator("input[name=loan]:checked")).to_be_focused()


async def test_a_language_that_is_chosen_stays(windows: Windows, story: Story) -> None:
    page = await windows.open()
    await log_in(page, await story.reader())
    await page.goto("/setting")
    await page.get_by_label("繁體中文").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("我的設定")
    await page.get_by_role("link", name="我的帳戶").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
