-- What a later build may do, part 4 of 4: a new table, and an index on an existing table.

ALTER TABLE document_versions ADD COLUMN next_text TEXT;
ALTER TABLE audit ADD COLUMN next_text TEXT;
CREATE TABLE next_table (id UUID PRIMARY KEY, user_id UUID REFERENCES users (id) ON DELETE CASCADE);
CREATE INDEX next_index ON audit (event, at);
