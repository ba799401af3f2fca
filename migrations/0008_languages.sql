-- Mails speak the language of the page that asked for them, and say which browser asked.

ALTER TABLE email_challenges ADD COLUMN language TEXT;   -- BCP 47; of the page that asked last
ALTER TABLE email_challenges ADD COLUMN asked_with TEXT; -- browser and system by names of ours, such as Firefox/Windows
ALTER TABLE users ADD COLUMN language TEXT;              -- BCP 47; in which the person last signed in
