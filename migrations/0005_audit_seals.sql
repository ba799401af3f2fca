-- The audit trail is sealed into a chain, and what has served its time can be swept.

-- An older program writes rows without these.
ALTER TABLE audit ADD COLUMN tag BYTEA;                    -- HMAC of the other columns, made by whoever wrote the row
ALTER TABLE audit ADD COLUMN tag_key TEXT;                 -- root key that the tag is made with
ALTER TABLE audit ADD COLUMN sealed_by BIGINT;             -- sequence of the seal that has this row
CREATE INDEX audit_unsealed ON audit (id) WHERE sealed_by IS NULL;
CREATE INDEX audit_sealed ON audit (sealed_by) WHERE sealed_by IS NOT NULL;

CREATE TABLE audit_seals (
    sequence      BIGINT PRIMARY KEY,                      -- 1, 2, 3 ..: a gap is a seal that somebody took away
    sealed_at     BIGINT NOT NULL,
    complete_to   BIGINT NOT NULL,                         -- what is older was in sight when this was made
    row_count     BIGINT NOT NULL,
    manifest      BYTEA,                                   -- id and HMAC of each row, in the order of ids; NULL once swept
    manifest_hash BYTEA NOT NULL,
    previous      BYTEA NOT NULL,                          -- digest of the seal before; empty for the first
    digest        BYTEA NOT NULL,                          -- HMAC of all columns above
    key_id        TEXT NOT NULL,                           -- root key that the HMACs are made with
    swept_at      BIGINT,                                  -- when its rows had served their time
    swept_key     TEXT,
    swept_mark    BYTEA                                    -- HMAC: the program itself swept everything up to this seal
);
CREATE INDEX audit_seals_time ON audit_seals (sealed_at);
CREATE INDEX audit_seals_whole ON audit_seals (sequence) WHERE swept_at IS NULL;
CREATE INDEX audit_seals_marked ON audit_seals (sequence) WHERE swept_mark IS NOT NULL;

-- Who points to a sign-in is asked for each that is deleted, and so is what is over.
CREATE INDEX sessions_sign_in ON sessions (sign_in_id);
CREATE INDEX grants_sign_in ON grants (sign_in_id);
CREATE INDEX sign_ins_remembered ON sign_ins (remembered_from) WHERE remembered_from IS NOT NULL;
CREATE INDEX throttles_since ON throttles (since);
