-- Part 4 of 4.

-- contract: no program of this repository reads or writes it
ALTER TABLE attempts DROP COLUMN next_number;

-- contract: no program of this repository reads or writes it
ALTER TABLE clients DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE passwords DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE users DROP COLUMN next_text;
