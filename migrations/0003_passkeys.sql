-- Passkeys (WebAuthn Level 3): the first step and the second in one, or the second after a password.

-- What is stored of a passkey is public: its id, its public key, its counter and its flags.
CREATE TABLE passkeys (
    id            UUID PRIMARY KEY,
    user_id       UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    rp_id         TEXT NOT NULL,                           -- the RP ID that it was made under, and works under
    credential_id TEXT NOT NULL UNIQUE,                    -- base64url; no two accounts share one
    credential    TEXT NOT NULL,                           -- public key, counter and flags: JSON of the WebAuthn library
    name          TEXT NOT NULL,                           -- after the authenticator, or given by its owner
    synced        BOOLEAN NOT NULL,                        -- backed up, so it is on other devices too
    uses          BIGINT NOT NULL,                         -- counts accepted assertions
    created_at    BIGINT NOT NULL,
    last_used_at  BIGINT NOT NULL
);
CREATE INDEX passkeys_user ON passkeys (user_id);

-- When the ceremony was begun whose answer was posted last: an answer to it, or to an earlier one, is not accepted again.
ALTER TABLE attempts ADD COLUMN ceremony_at BIGINT;
