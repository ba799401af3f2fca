# Every text of every mail. docs/languages.md says how a language is added.
#
# A mail shows the name of the service and its title first, and mail programs show the title in their lists. $support is
# `none` where no help line is configured. No text may hold an
# address that could be opened: these mails have no links, so that a mail with a link is not ours.

## The mail with a code. The code must be in its title, as { $code }, and must not be in its subject.

mail-code-subject = Your { $brand } sign-in code (ref { $reference }, { $time })
mail-code-title = { $code } is your { $brand } sign-in code
mail-code-reference = Reference: { $reference }. The sign-in page shows the same one.
mail-code-until = It works for { $length }, until { $until }. Enter it in the browser where you started.
mail-code-asked = It was asked for at { $asked }, with { $browser } on { $system }.
mail-code-asked-somewhere = It was asked for at { $asked }.
mail-code-secret = We will never ask you for this code, and our staff never need it.
mail-code-not-you = If you did not try to sign in, somebody may know your password. Give this code to nobody, and ask for help, so that you can choose a new password{ $support ->
    [none] .
   *[other] : { $support }
}

## The notice of a changed password.

mail-password-changed-subject = Your { $brand } password was changed ({ $day }, { $time })
mail-password-changed-title = Your password was changed
mail-password-changed-when = It was changed on { $day } at { $time }.
mail-password-changed-you = If it was you, there is nothing for you to do.
mail-password-changed-not-you = If it was not you, ask for help at once{ $support ->
    [none] .
   *[other] : { $support }
}

## The notice of a forced reset.

mail-reset-forced-subject = You will be asked for a new { $brand } password ({ $day }, { $time })
mail-reset-forced-title = You will be asked for a new password at your next sign-in
mail-reset-forced-when = This was decided on { $day } at { $time }, to keep your account safe.
mail-reset-forced-ended = Your old sign-ins have been ended, on every device.
mail-reset-forced-next = When you next sign in, enter your present password first. You will then be asked for a new one. Go to { $brand } by typing its address yourself.

## The notice of failed tries: wrong passwords, or wrong or unused codes after the right password.

mail-tried-password-subject = Wrong passwords at your { $brand } sign-in ({ $day }, { $time })
mail-tried-password-title = There were too many wrong passwords at your sign-in
mail-tried-password-when = If it was not you, somebody tried on { $day } at { $time } and did not get in. Your password is still right, and nothing has changed.
mail-tried-code-subject = Wrong codes at your { $brand } sign-in ({ $day }, { $time })
mail-tried-code-title = There were too many wrong codes at your sign-in
mail-tried-code-when = They came after your password, and were stopped on { $day } at { $time }. No one got in.
mail-tried-code-change = If it was not you, somebody knows your password. Ask for help, so that you can choose a new one{ $support ->
    [none] .
   *[other] : { $support }
}
mail-tried-own = A browser that you have signed in with before still works as always. New browsers have to wait a while between tries.
mail-unused-codes-subject = Codes that were not used at your { $brand } sign-in ({ $day }, { $time })
mail-unused-codes-title = Many codes for your sign-in were not used
mail-unused-codes-when = They were asked for with your password, the last one on { $day } at { $time }. No one got in with them.
mail-unused-codes-own = A browser that you have signed in with before still works as always. A new browser has to wait before it gets another code.
mail-tried-you = If it was you, there is nothing for you to do.

## The notice of a change of the methods of the second step. $browser is `none` where it is not known, and `staff` where staff
## did it on request.

mail-method-subject = How you sign in to { $brand } was changed ({ $day }, { $time })
mail-method-when = { $browser ->
    [none] This was on { $day } at { $time }.
    [staff] Our staff did this on { $day } at { $time }, because they were asked to.
   *[other] This was on { $day } at { $time }, with { $browser } on { $system }.
}
mail-method-you = { $browser ->
    [staff] If you asked for it, there is nothing for you to do.
   *[other] If it was you, there is nothing for you to do.
}
mail-method-not-you = { $browser ->
    [staff] If you did not ask for it, somebody else did in your name
   *[other] If it was not you, somebody can sign in as you
}: ask for help at once{ $support ->
    [none] .
   *[other] : { $support }
}
mail-method-app-added-title = An authenticator app was added to your account
mail-method-app-added = Its codes are a second step after your password from now on.
mail-method-app-removed-title = An authenticator app was removed from your account
mail-method-app-removed = Its codes no longer work. You have another method.
mail-method-last-app-removed-title = The last authenticator app was removed from your account
mail-method-last-app-removed = Its codes and your recovery codes no longer work. The second step is a code by e-mail again.
mail-method-passkey-added-title = A passkey was added to your account
mail-method-passkey-added = It signs in to your account from now on, without a password.
mail-method-passkey-removed-title = A passkey was removed from your account
mail-method-passkey-removed = It no longer works. You have another method.
mail-method-last-passkey-removed-title = The last passkey was removed from your account
mail-method-last-passkey-removed = It and your recovery codes no longer work. The second step is a code by e-mail again.
mail-method-codes-made-title = New recovery codes were made for your account
mail-method-codes-made = The codes of the list before no longer work.
mail-method-code-used-title = A recovery code of your account was used
mail-method-code-used = { $left ->
    [0] None is left: make a new list on the page of your account.
    [1] One is left: make a new list on the page of your account.
   *[other] { $left } are left.
}
mail-method-email-off-title = Codes by e-mail were turned off for your account
mail-method-email-off = The second step is a passkey, your authenticator app or a recovery code from now on.
mail-method-email-on-title = Codes by e-mail were turned on for your account
mail-method-email-on = A code by e-mail is a second step after your password again.

## In more than one mail.

mail-secret = We will never ask you for your password or for a code by e-mail or by telephone.
mail-support = If you need help: { $support }
mail-signature = Kind regards, { $brand }
# Before the last line of the text part, which a phone reads ("origin-bound one-time codes").
mail-bound = The next line is for your phone or browser, which offers the code on our page alone. You need not do anything with it.
