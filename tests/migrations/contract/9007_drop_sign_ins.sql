-- Part 3 of 4.

-- contract: no program of this repository reads or writes it
ALTER TABLE consents DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE sessions DROP COLUMN next_flag;

-- contract: no program of this repository reads or writes it
ALTER TABLE sign_ins DROP COLUMN next_text;

-- contract: no program of this repository reads or writes it
ALTER TABLE email_challenges DROP COLUMN next_bytes;
