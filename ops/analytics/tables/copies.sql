-- One row for each copy, with its call number and shelf, as its title was last catalogued.
WITH newest AS (
    SELECT title_id, kind, copies
    FROM title_catalogued
    QUALIFY row_number() OVER (PARTITION BY title_id ORDER BY version DESC) = 1
),
each_copy AS (
    SELECT title_id, kind, unnest(copies) AS copy
    FROM newest
)
SELECT
    copy.copy_id AS copy_id,
    copy.barcode AS barcode,
    title_id,
    kind,
    copy.category AS category,
    copy.branch AS branch,
    copy.volume AS volume,
    copy.record.call_number AS call_number,
    copy.record.scheme AS scheme,
    copy.record.shelf_location AS shelf_location,
    copy.record.collection AS collection,
    copy.record.supplier AS supplier,
    copy.record.condition AS condition,
    copy.record.acquired_on AS acquired_on
FROM each_copy
