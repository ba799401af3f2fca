# Every text of every page. docs/languages.md says how a language is added.

## On every page.

help-line = Need help? { $support }
languages-label = Language
home-link = Go to { $brand }
foot-privacy = Privacy
foot-accessibility = Accessibility
foot-terms = Terms of use
password-show = Show
password-show-label = Show password
password-hide = Hide
password-hide-label = Hide password
problem-title = There is a problem
problem-prefix = Error:
clock-time = { $time } { $part ->
    [morning] am
   *[afternoon] pm
}
# Where the reader may be in another zone.
clock-with-zone = { $time } { $zone }
clock-today = at { $time } (in about { $length })
clock-tomorrow = tomorrow at { $time } (in about { $length })
# Beside a time until which something works.
clock-until = { $minutes ->
    [0] { $time } (for less than a minute)
    [one] { $time } (for 1 more minute)
   *[other] { $time } (for { $minutes } more minutes)
}
length-minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
}
length-hours = { $count ->
    [one] 1 hour
   *[other] { $count } hours
}

## The password.

password-title = Sign in
password-lede = to continue to { $client }
password-lede-account = to continue to your account
password-email = E-mail address
password-password = Password
password-next = After this comes a second step: a code that we send by e-mail, or one of your authenticator app.
password-continue = Continue
password-cancel = Cancel
password-error-email-empty = Enter your e-mail address
password-error-email-shape = Enter an e-mail address like name@example.org
password-error-email-invisible = The e-mail address has characters that cannot be seen. Type it instead of pasting it
password-error-email-quoted = E-mail addresses with spaces or quotation marks are not supported
password-error-email-domain = The part of the e-mail address after the @ is not right. Check it
password-error-email-long = The e-mail address is too long. Check it
password-error-empty = Enter your password
password-error-wrong = The e-mail address or the password is not right. Check both and try again
password-error-paused = There were too many wrong passwords. You can try again { $when }
password-way-later = Wait until then. Your account is not locked, and nothing is lost.
password-way-help = If you have forgotten your password, or if it was not you who entered the passwords, ask for help.
password-error-network = There were too many tries from your network ({ $network }). You can try again { $when }. Your account is not locked
password-error-busy = Many people are signing in right now. Wait a few seconds, enter your password again and press Continue
password-error-away = Something on our side does not answer at this moment (reference { $reference }). Nothing is lost: wait a few seconds, enter your password again and press Continue
password-error-other-tab = Something changed in another tab. Enter your password once more
password-error-old = This page was open for a long time. Enter your password once more
password-error-again = That sign-in could not be finished. Please sign in again

## The code.

code-title = Enter your code
code-title-new = The time of your code is over
code-title-spent = All tries are used up
code-title-unsent = We could not send your code
code-title-unrequested = Send a code
code-sent = We sent a six-digit code to { $address }.
code-sending = We are sending a six-digit code to { $address }.
code-sending-again = We are sending the code to { $address } again.
code-refused = Our e-mail to { $address } was not accepted. If that is not your address, start again. If it is, ask for help: your account may need another address.
code-unrequested = No code has been sent to { $address } yet.
code-not-sent = We could not send a code to { $address }: too many were asked for.
code-ago = { $minutes ->
    [0] It was sent just now ({ $time }).
    [one] It was sent 1 minute ago ({ $time }).
   *[other] It was sent { $minutes } minutes ago ({ $time }).
} It works until { $until }.
code-until = It works until { $until } at the latest.
code-still = It still works until { $until }.
code-soon = It works as soon as the new e-mail is on its way. Enter it when the e-mail is there.
code-over = The code that we sent to { $address } worked until { $until }. You need a new one.
code-over-same = The code that we sent to { $address } worked until { $until }. Sent again, the same code works again.
code-spent = All tries at the code that we sent to { $address } are used up.
code-reference = Reference in the e-mail:
code-label = Six-digit code
code-continue = Continue
code-send = Send a code
code-resend = Send the code again
code-new = Send a new code
code-resend-later = You can ask for a code again { $when }.
code-resend-soon = { $seconds ->
    [one] You can ask for a code again in 1 second.
   *[other] You can ask for a code again in { $seconds } seconds.
}
code-trouble = The e-mail has not arrived?
code-trouble-wait = It can take a few minutes. The code still works then.
code-trouble-spam = Look in your spam or junk folder.
code-trouble-address = If that is not your address, start again.
code-trouble-mailbox = If you cannot get into your e-mail: { $support }
code-browser = Enter the code in this browser, where you started.
code-staff = We never ask you for this code, and our staff never need it.
code-restart = Start again
code-cancel = Cancel
code-error-empty = Enter the 6 digit code
code-error-length = The code has 6 digits. You entered { $count }
code-error-digits = The code is numbers only
code-error-wrong = { $left ->
    [0] That code is not right, and there are no tries left for it. Send a new code
    [one] That code is not right. Check the newest e-mail with the reference { $reference }. You have 1 try left
   *[other] That code is not right. Check the newest e-mail with the reference { $reference }. You have { $left } tries left
}
# Above the heading; the whole text is at the field.
code-error-wrong-short = { $left ->
    [one] That code is not right. 1 try left
   *[other] That code is not right. { $left } tries left
}
code-notice-late = That is the right code, but its time was over. We are sending you the same code again. Wait for the e-mail, then press Continue.
code-error-late-unsent = That is the right code, but its time was over. Too many codes were asked for to send it again now
code-error-expired = That code has expired. We have sent a new code with the reference { $reference }
code-error-expired-unsent = That code has expired. Too many codes were asked for to send a new one now
code-error-superseded = That code is from an older e-mail. Enter the code from the newest one, with the reference { $reference }
code-error-used = That code has already been used. Send a new one, or start again
code-error-browser = That code was asked for in another browser. Enter the code with the reference { $reference }
code-error-moved = This sign-in has moved on, perhaps in another tab. Enter the code with the reference { $reference }
code-error-exhausted = Those were all tries at this code. Send a new one to go on
code-error-paused = There were too many wrong codes. You can try again { $when }. Your account is not locked: you can close this page and sign in again then
code-error-network = There were too many tries from your network ({ $network }). You can try again { $when }. Your account is not locked

## A code of an authenticator app.

totp-title = Enter the code of your app
totp-lede = Open your authenticator app and enter the code that it shows for { $brand }.
totp-hint = A new code appears every 30 seconds. Each works once.
totp-error-wrong = { $left ->
    [0] That code is not right
    [one] That code is not right. Enter the code that your app shows now. You have 1 try left
   *[other] That code is not right. Enter the code that your app shows now. You have { $left } tries left
}
totp-error-used = That code was used already. Wait for the next one in your app, and enter that
totp-error-ahead = That code is for a later time: the clock of your phone is about { $length } ahead. In the settings of your phone, let it set date and time by itself. Then enter the next code
totp-error-behind = That code is for an earlier time: the clock of your phone is about { $length } behind. In the settings of your phone, let it set date and time by itself. Then enter the next code
held-code-error-moved = This sign-in has moved on, perhaps in another tab. Enter a code

## A recovery code.

recovery-code-title = Enter a recovery code
recovery-code-lede = Enter one of the recovery codes that you printed or kept. Each works once.
recovery-code-label = Recovery code
recovery-code-hint = It has 16 letters and digits, such as 7K3M-Q9XV-2HTD-W0AE. The dashes need not be typed.
recovery-code-error-form = { $count ->
    [0] Enter a recovery code: 16 letters and digits
   *[other] A recovery code has 16 letters and digits. You entered { $count }
}
recovery-code-error-wrong = { $left ->
    [0] That is not one of your recovery codes
    [one] That is not one of your recovery codes. Look at your newest list. You have 1 try left
   *[other] That is not one of your recovery codes. Look at your newest list. You have { $left } tries left
}
recovery-code-error-used = That recovery code was used before. Enter another one of your list

## A passkey.

passkey-title = Use your passkey
passkey-lede = Confirm with Face ID, your fingerprint or the PIN of your device, or with your security key.
passkey-start = Use a passkey
passkey-no-script = This browser cannot use passkeys here. Choose another way.
passkey-failed = No passkey was used. Try again, or sign in another way. If this device has no passkey of yours, add one in your account later; the device needs a screen lock or a PIN.
passkey-error-over = That took too long or was sent twice: use your passkey once more
passkey-error-unknown = This passkey is not known here. It may have been removed: sign in another way
passkey-error-other-account = This passkey is of another account: use one of the account that you are signing in to
passkey-error-not-verified = Your device did not check that it is you: set up a screen lock or a PIN, or sign in another way
passkey-error-suspicious = This passkey answers differently than before, as a copy of it would: sign in another way, and then remove it in your account
passkey-error-invalid = This passkey could not be checked: try again, or sign in another way
password-passkey = Sign in with a passkey

## Another method.

ways-link = Use another way to sign in
ways-title = How do you want to go on?
ways-lede = Choose one. Your password need not be entered again.
ways-email = Send a code to { $address }
ways-email-hint = We send an e-mail with a six-digit code.
ways-totp = Authenticator app
ways-totp-hint = Enter the code that your app shows.
ways-passkey = Passkey
ways-passkey-hint = Use Face ID, your fingerprint or the PIN of your device, or a security key.
ways-recovery-code = Recovery code
ways-recovery-code-hint = Enter a code of the list that you printed or kept.
ways-back = Back
ways-none = If you can use none of these, ask for help.

## Too many wrong codes.

paused-title = You cannot sign in at this moment
paused-lede = There were too many wrong codes. You can sign in again { $when }. Your account is not locked, and nothing is lost.
paused-ways = What you can do
paused-way-later = Close this page, and sign in again then. We send no code before.
paused-way-device = A browser that you have signed in with before may work now.
paused-way-help = If it was not you who entered the codes, somebody knows your password. Ask for help.

## Going back to the client.

return-title = Back to { $client }
return-link = Continue to { $client }

## A new password.

new-title = Choose a new password
new-lede = To keep your account safe you need a new password. Choose one, and you are signed in.
new-account = E-mail address
new-label = New password
new-rule = At least { $length } characters. Four or five words that belong together only for you make a good password.
new-free = Spaces, letters of any language and signs are welcome. You may paste it from a password manager.
new-continue = Save and sign in
new-restart = Start again
new-cancel = Cancel
new-error-empty = Enter a new password
new-error-moved = This sign-in has moved on, perhaps in another tab. Choose your new password here
new-error-short = The password is too short. It needs at least { $length } characters
new-error-long = The password is too long. It can have 128 characters
new-error-common = That password is too common. Choose another one
new-error-own = That password is too much like your name, your address or this service. Choose another one
new-error-repetitive = That password repeats the same few characters. Choose another one
new-error-same = That is your present password. Choose another one

## Signed in by another tab.

signed-in-title = You are signed in
signed-in-lede = You signed in as { $person } in another tab. Continue to { $client }.
signed-in-lede-account = You signed in as { $person } in another tab. Continue to your account.
signed-in-continue = Continue

## Consent.

consent-title = Share with { $client }?
consent-lede = { $client } asks to know:
consent-openid = whether it is you again, each time you sign in
consent-profile = your name and your personal details, and when they last changed
consent-email = your e-mail address, and whether you have confirmed it
consent-address = your postal address
consent-phone = your telephone number
consent-none = (we have none of yours at this moment)
consent-privacy = What { $client } does with it
consent-back = If you change your mind later, ask { $client } to delete what it has.
claim-name = Name
claim-given-name = First name
claim-middle-name = Middle name
claim-family-name = Family name
claim-nickname = Nickname
claim-username = User name
claim-gender = Gender
claim-birthdate = Date of birth
claim-profile = Profile page
claim-picture = Picture
claim-website = Website
claim-zone = Time zone
claim-language = Language
claim-email = E-mail address
claim-address = Postal address
claim-phone = Telephone number
consent-remember = If you allow it, we remember your answer and do not ask again for the same.
consent-allow = Allow
consent-deny = Do not allow
confirm-title = Continue to { $client }?
confirm-text = Continue only if you opened { $client } yourself just now.
confirm-continue = Continue
confirm-other = Use another account
confirm-cancel = Cancel
account-lede = You are signed in as { $person } ({ $address }).
account-lede-without-address = You are signed in as { $person }.

## Signing out.

logout-title = Sign out?
logout-lede = You are signed in as { $person }.
logout-continue = Sign out
logout-cancel = Stay signed in
signed-out-title = You are signed out
signed-out-text = On a device that you share, close this window too.
signed-out-not-registered = the address in post_logout_redirect_uri is not registered for this client, so it was not followed. Compare it with "idp client show", letter by letter, or register it with "idp client set" and --post-logout-redirect-uri.
signed-out-without-hint = the address in post_logout_redirect_uri was not followed, because the request has no id_token_hint of this client that we can check. Send the ID token of the sign-in, also when it has expired.
still-title = You are still signed in
still-text = Nothing has changed. You can close this page.

## Requests without an answer.

failure-reference = Reference
failure-reference-help = If you ask for help, read this reference out.
failure-detail = For the developer of the page that sent you here:
failure-request-title = This request cannot be completed
failure-request-text = The page that sent you here asked in a way that we cannot answer. Go back to it and try again. If it happens again, please tell the people who run it.
failure-start-title = Please start again
failure-start-text = This sign-in is too old, is finished, or was begun in another browser. Go back to where you wanted to go and sign in from there.
failure-not-found-title = There is no such page
failure-not-found-text = The address may be mistyped. Go back to where you came from.
failure-method-title = This page cannot be used like that
failure-method-text = Go back to where you came from and try again.
failure-forbidden-title = This form can no longer be used
failure-forbidden-text = It came from another site, is too old, or was begun before this browser got other cookies. Go back to where you wanted to go and sign in from there.
failure-cookies-title = Your browser does not keep our cookie
failure-cookies-text = You cannot sign in without it. Allow cookies for { $host }, then go back to where you wanted to go and sign in from there.
failure-form-title = That was not a form of ours
failure-form-text = Go back, reload the page and try again.
failure-large-title = That was too much
failure-large-text = The form holds more than it can. Go back and try again with less.
failure-slow-title = That took too long
failure-slow-text = The form did not arrive in time. Check your connection, then go back and try again.
failure-speculative-title = This page was loaded ahead
failure-speculative-text = Your browser loaded it before you asked for it, and nothing was done. Reload the page.
failure-misdirected-title = This is another site's address
failure-misdirected-text = Type the address of the service that you want to use into your browser.
failure-many-title = Too many requests from your network
failure-many-text = There were too many tries from your network. Wait a few minutes and try again. Your account is not locked.
failure-many-until-text = There were too many tries from your network ({ $network }). You can try again { $when }. Your account is not locked.
failure-network-title = We cannot see where this request comes from
failure-network-text = The network between you and us hides your address in a way that we cannot read. Try again from another network.
failure-busy-title = Many people are here right now
failure-busy-text = Wait a few seconds and try again. Nothing is lost.
failure-away-title = We cannot do that at this moment
failure-away-text = Something on our side does not answer. Nothing is lost: wait a few seconds, then reload this page or go back and try again.
failure-internal-title = Something went wrong on our side
failure-internal-text = It is not your fault. Wait a minute and try again.
failure-unknown-title = We do not know whether that worked
failure-unknown-text = Go back and try again. Nothing can happen twice.

## The pages of an account.

account-title = Your account
account-name = Name
account-email = E-mail
account-second = How you sign in
account-second-lede = After your password comes a second step: a code by e-mail, or what you add here. A passkey takes the place of both.
account-apps-count = { $count ->
    [0] None
    [one] 1 app
   *[other] { $count } apps
}
account-passkeys-count = { $count ->
    [0] None
    [one] 1 passkey
   *[other] { $count } passkeys
}
account-codes-count = { $count ->
    [0] None left
    [one] 1 code left
   *[other] { $count } codes left
}
account-email-is-on = A code by e-mail works, too. Without it, nobody who gets into your e-mail can use it to sign in as you.
account-email-is-off = We send you no codes by e-mail.
account-email-turn-off = No codes by e-mail for me
account-email-turn-on = Allow codes by e-mail again
account-email-off = From now on we send you no codes by e-mail.
account-email-on = You can sign in with a code by e-mail again.
account-email-needed = First make recovery codes, or add another passkey or app: otherwise a lost phone would lock you out.
account-sign-out = Sign out
account-back = Back to your account
account-again = To change something here, sign in again. That keeps others out who find your browser open.
account-again-link = Sign in again

apps-title = Authenticator apps
apps-lede = An app on your phone shows a new code every 30 seconds, without e-mail and without a network.
apps-used = Last used on { $day }
apps-change = Change “{ $name }”
apps-name-label = Name of the app or phone
apps-name-first = My phone
apps-rename = Save the name
apps-remove = Remove “{ $name }”
apps-last = This is your only method. Without it your recovery codes no longer work, and the second step is a code by e-mail.
apps-add = Add an app
apps-added = The app was added. You can use it from now on.
apps-renamed = The name was saved.
apps-removed = The app was removed.
apps-error-code = That code is not right. Enter the code that your app shows now
apps-error-many = You have { $limit } apps already: remove one first
apps-error-name = Enter a name, so that you can tell your apps apart
apps-error-name-unsuitable = Enter a name of at most 60 letters
apps-error-over = That can no longer be finished, because it took too long, was begun elsewhere, or your methods have changed since: add the app again if it is not in the list

enrol-title = Add an authenticator app
enrol-lede = You need an app such as Google Authenticator, Microsoft Authenticator or Aegis.
enrol-open = Open my authenticator app on this phone
enrol-scan = Scan this with the app:
enrol-qr = QR code for your authenticator app
enrol-by-hand = I cannot scan it
enrol-by-hand-how = Choose "enter a setup key" in the app, and copy this key. The kind is "time based".
enrol-code = Code that the app shows now
enrol-confirm = Add this app
enrol-cancel = Cancel

passkeys-title = Passkeys
passkeys-lede = A passkey signs you in with Face ID, your fingerprint or the PIN of your device: no password, no code, and no false page can get it.
passkeys-unused = Added on { $day }, not used yet
passkeys-synced = On all your devices that share it
passkeys-one-device = On one device alone
passkeys-name-label = Name of the passkey
passkeys-last = This is your only method. Without it your recovery codes no longer work, and the second step is a code by e-mail.
passkeys-shared = Do not do this on a device that you share: whoever can unlock it could sign in as you.
passkeys-add = Add a passkey on this device
passkeys-no-script = This browser cannot add a passkey: it must know passkeys, and run scripts.
passkeys-added = The passkey was added. You can sign in with it from now on.
passkeys-removed = The passkey was removed. Remove it from your device as well.
passkeys-failed = No passkey was made. Try again when you are ready. Your device needs a screen lock or a PIN.
passkeys-error-known = This device has a passkey for your account already.
passkeys-error-many = You have { $limit } passkeys already: remove one first
passkeys-error-over = That can no longer be finished, because it took too long or your methods have changed since: add the passkey again if it is not in the list
passkeys-error-not-verified = Your device did not check that it is you, so its passkey cannot be used here: set up a screen lock or a PIN first
passkeys-error-invalid = This passkey could not be checked: try again
passkeys-error-name = Enter a name, so that you can tell your passkeys apart

codes-title = Recovery codes
codes-lede = A list of ten codes to keep on paper. If your phone is lost, one of them is the second step, once.
codes-need-method = Recovery codes stand in for a passkey or an authenticator app. Add one first.
codes-void = A new list makes the old one void.
codes-make = Make a new list

sheet-title = Your recovery codes
sheet-lede = Print this page or save the codes, and keep them where only you find them.
sheet-once = Each code works once. A new list makes this one void.
sheet-now = We show these codes now and never again.
sheet-save = Save as a file
sheet-done = I have kept them: back to my account
sheet-file-head = Recovery codes for { $brand }, account { $account }

# The month arrives as its English name.
clock-day = { $day } { $month ->
    [January] January
    [February] February
    [March] March
    [April] April
    [May] May
    [June] June
    [July] July
    [August] August
    [September] September
    [October] October
    [November] November
    [December] December
   *[other] { $month }
} { $year }
