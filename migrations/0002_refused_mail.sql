-- The code page says when a mail server would not take the code.

ALTER TABLE email_challenges ADD COLUMN refused_at BIGINT; -- by the mail server, for good; the last time
