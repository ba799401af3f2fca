-- What a later build may do, part 4 of 4: a table of its own, and an index on a table that is there.

ALTER TABLE settings ADD COLUMN next_text TEXT;
ALTER TABLE audit ADD COLUMN next_text TEXT;
CREATE TABLE next_table (id UUID PRIMARY KEY, user_id UUID REFERENCES users (id) ON DELETE CASCADE);
CREATE INDEX next_index ON audit (event, at);
