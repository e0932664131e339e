"""Refusals about files of MARC records."""

from services.circulation.refusals import refusal

NoSuchImport = refusal(404, "no-such-import", "This file is not kept any more. Send it again.")
NoRecords = refusal(409, "no-records", "The file has no MARC records.")
TooManyRecords = refusal(
    409, "too-many-records", "A file may have {most} records. Send it in parts."
)
