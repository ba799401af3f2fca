-- The release after that drops what no program uses any more, part 1 of 4.

-- contract: no program of this repository reads or writes it
DROP INDEX next_index;

-- contract: no program of this repository reads or writes it
DROP TABLE next_table;

-- contract: no program of this repository reads or writes it
ALTER TABLE audit DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE document_versions DROP COLUMN next_text;
