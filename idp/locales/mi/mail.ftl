# Every text of every mail, in te reo Māori.
#
# For review by a speaker: these texts were written with care but have not been checked by a fluent speaker yet.
# docs/languages.md says how a review is done. Macrons are single characters (NFC).
#
# The rules of locales/en/mail.ftl hold here too: no text may hold an address that could be opened.

## The mail with a code. The code must be in its title, as { $code }, and must not be in its subject.

mail-code-subject = Tō waehere takiuru mō { $brand } (tohutoro { $reference }, { $time })
mail-code-title = Ko { $code } tō waehere takiuru mō { $brand }
mail-code-reference = Tohutoro: { $reference }. Kei te whārangi takiuru te tohutoro ōrite.
mail-code-until = Ka mahi mō te { $length }, tae noa ki te { $until }. Tāurutia i te pūtirotiro i tīmata ai koe.
mail-code-asked = I tonoa i te { $asked }, mā { $browser } i runga i te { $system }.
mail-code-asked-somewhere = I tonoa i te { $asked }.
mail-code-secret = Kāore rawa mātou e tono mō tēnei waehere, ā, kāore ā mātou kaimahi e hiahia ana ki te waehere.
mail-code-not-you = Mēnā ehara nāu te takiuru, tērā pea kei te mōhio tētahi atu ki tō kupuhipa. Kaua e hoatu tēnei waehere ki tētahi, ā, tonoa he āwhina, kia taea ai e koe te kōwhiri i tētahi kupuhipa hou{ $support ->
    [none] .
   *[other] : { $support }
}

## The notice of a changed password.

mail-password-changed-subject = Kua panonitia tō kupuhipa mō { $brand } ({ $day }, { $time })
mail-password-changed-title = Kua panonitia tō kupuhipa
mail-password-changed-when = I panonitia i te { $day } i te { $time }.
mail-password-changed-you = Mēnā nāu i panoni, kāore he mahi māu.
mail-password-changed-not-you = Mēnā ehara nāu, tonoa he āwhina ināianei tonu{ $support ->
    [none] .
   *[other] : { $support }
}

## The notice of a forced reset.

mail-reset-forced-subject = Ka tonoa koe kia kōwhiri i tētahi kupuhipa hou mō { $brand } ({ $day }, { $time })
mail-reset-forced-title = Ka tonoa koe kia kōwhiri i tētahi kupuhipa hou i tō takiurunga e whai ake nei
mail-reset-forced-when = I whakatauria tēnei i te { $day } i te { $time }, kia haumaru ai tō pūkete.
mail-reset-forced-ended = Kua whakamutua ō takiurunga o mua, i runga i ngā pūrere katoa.
mail-reset-forced-next = I tō takiurunga e whai ake nei, tāurutia tuatahitia tō kupuhipa o nāianei. Kātahi koe ka tonoa kia kōwhiri i tētahi mea hou. Haere ki { $brand } mā te pato i tōna wāhitau.

## The notice of failed tries: wrong passwords, or wrong or unused codes after the right password.

mail-tried-password-subject = Ngā kupuhipa hē i tō takiurunga ki { $brand } ({ $day }, { $time })
mail-tried-password-title = He maha rawa ngā kupuhipa hē i tō takiurunga
mail-tried-password-when = Mēnā ehara nāu, i ngana tētahi i te { $day } i te { $time }, ā, kāore i uru. Kei te tika tonu tō kupuhipa, kāore he mea i rerekē.
mail-tried-code-subject = Ngā waehere hē i tō takiurunga ki { $brand } ({ $day }, { $time })
mail-tried-code-title = He maha rawa ngā waehere hē i tō takiurunga
mail-tried-code-when = I tāurutia i muri i tō kupuhipa, ā, i whakamutua i te { $day } i te { $time }. Kāore tētahi i uru.
mail-tried-code-change = Mēnā ehara nāu, kei te mōhio tētahi atu ki tō kupuhipa. Tonoa he āwhina, kia taea ai e koe te kōwhiri i tētahi mea hou{ $support ->
    [none] .
   *[other] : { $support }
}
mail-tried-own = Ka mahi tonu te pūtirotiro i takiuru ai koe i mua. Me tatari ngā pūtirotiro hou i waenga i ngā whakamātau.
mail-unused-codes-subject = Ngā waehere kāore i whakamahia i tō takiurunga ki { $brand } ({ $day }, { $time })
mail-unused-codes-title = He maha ngā waehere mō tō takiurunga kāore i whakamahia
mail-unused-codes-when = I tonoa ki tō kupuhipa, te mea whakamutunga i te { $day } i te { $time }. Kāore tētahi i uru mā ēnei.
mail-unused-codes-own = Ka mahi tonu te pūtirotiro i takiuru ai koe i mua. Me tatari te pūtirotiro hou i mua i te whiwhi waehere anō.
mail-tried-you = Mēnā nāu, kāore he mahi māu.

## The notice of a change of the methods of the second step. $browser is `none` where it is not known, and `staff` where staff
## did it on request.

mail-method-subject = I panonihia tō takiuru ki { $brand } ({ $day }, { $time })
mail-method-when = { $browser ->
    [none] I te { $day } i te { $time } tēnei.
    [staff] Nā ā mātou kaimahi tēnei i te { $day } i te { $time }, nā te mea i tonoa rātou.
   *[other] I te { $day } i te { $time } tēnei, mā { $browser } i { $system }.
}
mail-method-you = { $browser ->
    [staff] Mēnā nāu te tono, kāore he mahi māu.
   *[other] Mēnā nāu, kāore he mahi māu.
}
mail-method-not-you = { $browser ->
    [staff] Mēnā ehara nāu te tono, nā tētahi atu i tono i tō ingoa
   *[other] Mēnā ehara nāu, ka taea e tētahi te takiuru hei a koe
}: tonoa he āwhina ināianei tonu{ $support ->
    [none] .
   *[other] : { $support }
}
mail-method-app-added-title = I tāpirihia he taupānga whakamana ki tō pūkete
mail-method-app-added = Mai i nāianei he hipanga tuarua ōna waehere i muri i tō kupuhipa.
mail-method-app-removed-title = I tangohia he taupānga whakamana i tō pūkete
mail-method-app-removed = Kāore ōna waehere e mahi. He taupānga anō tāu.
mail-method-last-app-removed-title = I tangohia te taupānga whakamana whakamutunga i tō pūkete
mail-method-last-app-removed = Kāore ōna waehere me ō waehere whakaora e mahi. Ko te waehere īmēra anō te hipanga tuarua.
mail-method-passkey-added-title = I tāpirihia he kī uru ki tō pūkete
mail-method-passkey-added = Mai i nāianei ka taea te takiuru mā tēnei, kāore he kupuhipa.
mail-method-passkey-removed-title = I tangohia he kī uru i tō pūkete
mail-method-passkey-removed = Kāore e mahi. He tikanga anō tāu.
mail-method-last-passkey-removed-title = I tangohia te kī uru whakamutunga i tō pūkete
mail-method-last-passkey-removed = Kāore te kī uru me ō waehere whakaora e mahi. Ko te waehere īmēra anō te hipanga tuarua.
mail-method-codes-made-title = I hangaia he waehere whakaora hou mō tō pūkete
mail-method-codes-made = Kāore ngā waehere o te rārangi o mua e mahi.
mail-method-code-used-title = I whakamahia he waehere whakaora o tō pūkete
mail-method-code-used = { $left ->
    [0] Karekau e toe ana: hangaia he rārangi hou i te whārangi o tō pūkete.
    [1] Kotahi e toe ana: hangaia he rārangi hou i te whārangi o tō pūkete.
   *[other] E { $left } e toe ana.
}
mail-method-email-off-title = I whakawetohia ngā waehere īmēra mō tō pūkete
mail-method-email-off = Mai i nāianei ko te kī uru, ko tō taupānga whakamana, ko te waehere whakaora rānei te hipanga tuarua.
mail-method-email-on-title = I whakakāngia ngā waehere īmēra mō tō pūkete
mail-method-email-on = He hipanga tuarua anō te waehere īmēra i muri i tō kupuhipa.

## In more than one mail.

mail-secret = Kāore rawa mātou e tono mō tō kupuhipa, mō tētahi waehere rānei, mā te īmēra, mā te waea rānei.
mail-support = Mēnā kei te hiahia āwhina koe: { $support }
mail-signature = Ngā mihi, nā { $brand }
# Before the last line of the text part, which a phone reads ("origin-bound one-time codes").
mail-bound = Mā tō waea, mā tō pūtirotiro rānei te rārangi e whai ake nei: ka tuku i te waehere ki tā mātou whārangi anake. Kāore he mahi māu.
