-- The release after that takes away what no program names any more, part 1 of 4.

-- contract: no program of this repository reads or writes it
DROP INDEX next_index;

-- contract: no program of this repository reads or writes it
DROP TABLE next_table;

-- contract: no program of this repository reads or writes it
ALTER TABLE audit DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE settings DROP COLUMN next_text;
