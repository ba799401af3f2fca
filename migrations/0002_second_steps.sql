-- What a person proves the second step with, beside a code by e-mail.

-- An authenticator app (RFC 6238). Its row is inserted with the first right code: an enrolment that was not finished has none.
CREATE TABLE totp_apps (
    id           UUID PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,                            -- given by its owner
    sealed       BYTEA NOT NULL,                           -- its secret, sealed with the root key
    last_step    BIGINT NOT NULL,                          -- the latest time step whose code was accepted
    early_steps  TEXT NOT NULL,                            -- later ones that a code was refused for as early, each between spaces
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX totp_apps_user ON totp_apps (user_id);

-- A recovery code: one of a person's sheet.
CREATE TABLE recovery_codes (
    id         UUID PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key_id     TEXT NOT NULL,                              -- root key that the HMAC is made with
    hash       BYTEA NOT NULL,                             -- HMAC of person and code
    created_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

-- The method of the second step that a person used last: it is asked for first.
ALTER TABLE users ADD COLUMN last_second TEXT;
-- Since when the person wants no codes by e-mail.
ALTER TABLE users ADD COLUMN email_codes_off_since BIGINT;
-- When methods were last added, removed or chosen, and the session that did it: none if it was done on request of staff.
ALTER TABLE users ADD COLUMN methods_changed_at BIGINT;
ALTER TABLE users ADD COLUMN methods_changed_by UUID;
-- When a method was last removed.
ALTER TABLE users ADD COLUMN method_removed_at BIGINT;
