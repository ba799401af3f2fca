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
password-email = E-mail address
password-password = Password
password-next = After this we send a six-digit code to your e-mail address.
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
