"""Files for spreadsheets."""

from services.gateway.web.csv_files import csv_file


def test_texts_that_a_spreadsheet_would_take_for_formulas_are_marked_and_empty_ones_are_not() -> (
    None
):
    texts = ("=1+1", "+1", "-1", "@SUM", "\tx", "", "a=b", -5)
    answer = csv_file("one.csv", ["a", "b"], [texts])
    heads, line = bytes(answer.body).decode("utf-8-sig").splitlines()
    assert heads == "a,b"
    assert line == "'=1+1,'+1,'-1,'@SUM,'\tx,,a=b,-5"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="one.csv"'
