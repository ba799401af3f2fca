-- Part 2 of 4.

-- contract: no program of this repository reads or writes it
ALTER TABLE signing_keys DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE throttles DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE auth_codes DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE grants DROP COLUMN next_number;
