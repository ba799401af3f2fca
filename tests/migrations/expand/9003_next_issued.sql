-- What a later build may do, part 3 of 4: columns of grants, codes, counters and keys.

ALTER TABLE grants ADD COLUMN next_number BIGINT NOT NULL DEFAULT 7;
ALTER TABLE auth_codes ADD COLUMN next_text TEXT;
ALTER TABLE throttles ADD COLUMN next_text TEXT;
ALTER TABLE signing_keys ADD COLUMN next_text TEXT;
