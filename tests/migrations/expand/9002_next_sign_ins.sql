-- What a later build may do, part 2 of 4: one of the columns has a default.

ALTER TABLE email_challenges ADD COLUMN next_bytes BYTEA;
ALTER TABLE sign_ins ADD COLUMN next_text TEXT;
ALTER TABLE sessions ADD COLUMN next_flag BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE consents ADD COLUMN next_text TEXT;
