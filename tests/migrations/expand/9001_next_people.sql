-- What a later build may do, part 1 of 4: columns that an older program does not write. Only the tests have these migrations.

ALTER TABLE users ADD COLUMN next_text TEXT;
ALTER TABLE passwords ADD COLUMN next_text TEXT;
ALTER TABLE clients ADD COLUMN next_text TEXT;
ALTER TABLE attempts ADD COLUMN next_number BIGINT;
