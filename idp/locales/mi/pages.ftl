# Every text of every page, in te reo Māori.
#
# For review by a speaker: these texts were written with care but have not been checked by a fluent speaker yet.
# docs/languages.md says how a review is done. Macrons are single characters (NFC).

## On every page.

help-line = Kei te hiahia āwhina koe? { $support }
languages-label = Reo
home-link = Haere ki { $brand }
foot-privacy = Tūmataitinga
foot-accessibility = Āheinga
foot-terms = Ngā tikanga whakamahi
password-show = Whakaaturia
password-show-label = Whakaaturia te kupuhipa
password-hide = Hunaia
password-hide-label = Hunaia te kupuhipa
problem-title = He raru kei konei
problem-prefix = Hapa:
clock-time = { $time } { $part ->
    [morning] i te ata
    [afternoon] i te ahiahi
   *[evening] i te pō
}
# Where the reader may be in another zone.
clock-with-zone = { $time } { $zone }
clock-today = ā te { $time } (ā muri i te { $length } pea)
clock-tomorrow = āpōpō, ā te { $time } (ā muri i te { $length } pea)
# Beside a time until which something works.
clock-until = { $minutes ->
    [0] { $time } (iti iho i te meneti kotahi e toe ana)
    [one] { $time } (kotahi te meneti e toe ana)
   *[other] { $time } (e { $minutes } ngā meneti e toe ana)
}
length-minutes = { $count ->
    [one] meneti kotahi
   *[other] { $count } meneti
}
length-hours = { $count ->
    [one] hāora kotahi
   *[other] { $count } hāora
}

## The password.

password-title = Takiuru
password-lede = kia haere tonu ki { $client }
password-lede-account = kia haere tonu ki tō pūkete
password-email = Wāhitau īmēra
password-password = Kupuhipa
password-next = I muri i tēnei ko te hipanga tuarua: he waehere ka tukuna e mātou mā te īmēra, he waehere rānei o tō taupānga whakamana.
password-continue = Haere tonu
password-cancel = Whakakore
password-error-email-empty = Tāurutia tō wāhitau īmēra
password-error-email-shape = Tāurutia he wāhitau īmēra pēnei i te ingoa@example.org
password-error-email-invisible = Kei roto i te wāhitau īmēra ētahi pūāhua kāore e kitea. Me pato kē, kaua e whakapiri
password-error-email-quoted = Kāore e tautokona ngā wāhitau īmēra he mokowā, he tohu kōrero rānei kei roto
password-error-email-domain = Kāore i te tika te wāhanga o te wāhitau īmēra i muri i te @. Tirohia anō
password-error-email-long = He roa rawa te wāhitau īmēra. Tirohia anō
password-error-empty = Tāurutia tō kupuhipa
password-error-wrong = Kāore i te tika te wāhitau īmēra, te kupuhipa rānei. Tirohia ngā mea e rua, ka whakamātau anō
password-error-paused = He maha rawa ngā kupuhipa hē. Ka taea anō e koe te whakamātau { $when }
password-way-later = Tatari kia tae ki taua wā. Kāore tō pūkete i te raka, ā, kāore he mea i ngaro.
password-way-help = Mēnā kua wareware i a koe tō kupuhipa, mēnā rānei ehara nāu ngā kupuhipa i tāuru, tonoa he āwhina.
password-error-network = He maha rawa ngā whakamātau mai i tō whatunga ({ $network }). Ka taea anō e koe te whakamātau { $when }. Kāore tō pūkete i te raka
password-error-busy = He tokomaha ngā tāngata e takiuru ana ināianei. Taihoa mō ētahi hēkona, tāurutia anō tō kupuhipa, ka pēhi i te pātene Haere tonu
password-error-away = Kāore tētahi wāhanga o tā mātou taha e whakautu ana ināianei (tohutoro { $reference }). Kāore he mea i ngaro: taihoa mō ētahi hēkona, tāurutia anō tō kupuhipa, ka pēhi i te pātene Haere tonu
password-error-other-tab = Kua rerekē tētahi mea i tētahi atu ripa. Tāurutia anō tō kupuhipa
password-error-old = He roa te wā i tuwhera ai tēnei whārangi. Tāurutia anō tō kupuhipa
password-error-again = Kāore i taea te whakaoti i taua takiurunga. Tēnā koa, takiuru anō

## The code.

code-title = Tāurutia tō waehere
code-title-new = Kua pau te wā o tō waehere
code-title-spent = Kua pau ngā whakamātau katoa
code-title-unsent = Kāore i taea te tuku i tō waehere
code-title-unrequested = Tukuna he waehere
code-sent = Kua tukuna he waehere mati ono ki { $address }.
code-sending = Kei te tukuna he waehere mati ono ki { $address }.
code-sending-again = Kei te tukuna anō te waehere ki { $address }.
code-refused = Kāore tā mātou īmēra ki { $address } i whakaaetia. Mēnā ehara tērā i tō wāhitau, tīmata anō. Mēnā koinā tō wāhitau, tonoa he āwhina: tērā pea me whai wāhitau kē atu tō pūkete.
code-unrequested = Kāore anō he waehere kia tukuna ki { $address }.
code-not-sent = Kāore i taea te tuku waehere ki { $address }: he maha rawa ngā tono.
code-ago = { $minutes ->
    [0] Kātahi anō ka tukuna ({ $time }).
    [one] I tukuna kotahi meneti i mua ({ $time }).
   *[other] I tukuna { $minutes } meneti i mua ({ $time }).
} Ka mahi tae noa ki te { $until }.
code-until = Ka mahi tae noa ki te { $until }, kaua i muri atu.
code-still = Kei te mahi tonu, tae noa ki te { $until }.
code-soon = Ka mahi ina tukuna te īmēra hou. Tāurutia ina tae mai te īmēra.
code-over = I mahi te waehere i tukuna ki { $address } tae noa ki te { $until }. Me whai mea hou koe.
code-over-same = I mahi te waehere i tukuna ki { $address } tae noa ki te { $until }. Ki te tukuna anō, ka mahi anō taua waehere.
code-spent = Kua pau ngā whakamātau katoa mō te waehere i tukuna ki { $address }.
code-reference = Tohutoro i roto i te īmēra:
code-label = Waehere mati ono
code-continue = Haere tonu
code-send = Tukuna he waehere
code-resend = Tukuna anō te waehere
code-new = Tukuna he waehere hou
code-resend-later = Ka taea e koe te tono waehere anō { $when }.
code-resend-soon = { $seconds ->
    [one] Ka taea e koe te tono waehere anō ā te 1 hēkona.
   *[other] Ka taea e koe te tono waehere anō ā te { $seconds } hēkona.
}
code-trouble = Kāore anō te īmēra kia tae mai?
code-trouble-wait = Ka pau pea ētahi meneti. Ka mahi tonu te waehere i taua wā.
code-trouble-spam = Tirohia tō kōpaki īmēra para.
code-trouble-address = Mēnā ehara tērā i tō wāhitau, tīmata anō.
code-trouble-mailbox = Mēnā kāore e taea e koe te uru ki tō īmēra: { $support }
code-browser = Tāurutia te waehere i tēnei pūtirotiro, i te wāhi i tīmata ai koe.
code-staff = Kāore rawa mātou e tono mō tēnei waehere, ā, kāore ā mātou kaimahi e hiahia ana ki te waehere.
code-restart = Tīmata anō
code-cancel = Whakakore
code-error-empty = Tāurutia te waehere mati 6
code-error-length = E 6 ngā mati o te waehere. E { $count } i tāurutia e koe
code-error-digits = He tau anake te waehere
code-error-wrong = { $left ->
    [0] Kāore i te tika taua waehere, ā, kua pau ngā whakamātau. Tukuna he waehere hou
    [one] Kāore i te tika taua waehere. Tirohia te īmēra hou rawa me te tohutoro { $reference }. Kotahi anake te whakamātau e toe ana
   *[other] Kāore i te tika taua waehere. Tirohia te īmēra hou rawa me te tohutoro { $reference }. E { $left } ngā whakamātau e toe ana
}
# Above the heading; the whole text is at the field.
code-error-wrong-short = { $left ->
    [one] Kāore i te tika taua waehere. Kotahi te whakamātau e toe ana
   *[other] Kāore i te tika taua waehere. E { $left } ngā whakamātau e toe ana
}
code-notice-late = Koirā te waehere tika, engari kua pau te wā. Kei te tukuna anō e mātou taua waehere. Tatari ki te īmēra, kātahi ka pēhi i te Haere tonu.
code-error-late-unsent = Koirā te waehere tika, engari kua pau te wā. He maha rawa ngā waehere kua tonoa, nō reira kāore e taea te tuku anō ināianei
code-error-expired = Kua pau te wā o taua waehere. Kua tukuna he waehere hou me te tohutoro { $reference }
code-error-expired-unsent = Kua pau te wā o taua waehere. He maha rawa ngā waehere kua tonoa, nō reira kāore e taea te tuku waehere hou ināianei
code-error-superseded = Nō tētahi īmēra tawhito taua waehere. Tāurutia te waehere o te īmēra hou rawa, me te tohutoro { $reference }
code-error-used = Kua whakamahia kētia taua waehere. Tukuna he waehere hou, tīmata anō rānei
code-error-browser = I tonoa taua waehere i tētahi atu pūtirotiro. Tāurutia te waehere me te tohutoro { $reference }
code-error-moved = Kua neke kē tēnei takiurunga, i tētahi atu ripa pea. Tāurutia te waehere me te tohutoro { $reference }
code-error-exhausted = Kua pau ngā whakamātau katoa mō tēnei waehere. Tukuna he waehere hou kia haere tonu ai
code-error-paused = He maha rawa ngā waehere hē. Ka taea anō e koe te whakamātau { $when }. Kāore tō pūkete i te raka: ka taea e koe te kati i tēnei whārangi, ka takiuru anō i taua wā
code-error-network = He maha rawa ngā whakamātau mai i tō whatunga ({ $network }). Ka taea anō e koe te whakamātau { $when }. Kāore tō pūkete i te raka

## A code of an authenticator app.

totp-title = Tāuruhia te waehere o tō taupānga
totp-lede = Huakina tō taupānga whakamana, ka tāuru i te waehere e whakaatu ana mō { $brand }.
totp-hint = Ka puta he waehere hou ia 30 hēkona. Kotahi anake te mahinga o ia waehere.
totp-error-wrong = { $left ->
    [0] Kāore i te tika taua waehere
   *[other] Kāore i te tika taua waehere. Tāuruhia te waehere e whakaatu ana tō taupānga ināianei. E { $left } ngā whakamātau e toe ana
}
totp-error-used = Kua whakamahia kētia taua waehere. Tatari ki te waehere o muri i tō taupānga, ka tāuru i tērā
totp-error-ahead = Nō muri ake taua waehere: kei mua te karaka o tō waea, āhua { $length }. I ngā tautuhinga o tō waea, tukuna kia tautuhi aunoa te rā me te wā. Kātahi ka tāuru i te waehere o muri
totp-error-behind = Nō mua atu taua waehere: kei muri te karaka o tō waea, āhua { $length }. I ngā tautuhinga o tō waea, tukuna kia tautuhi aunoa te rā me te wā. Kātahi ka tāuru i te waehere o muri
held-code-error-moved = Kua neke tēnei takiurutanga, tērā pea i tētahi atu ripa. Tāuruhia he waehere

## A recovery code.

recovery-code-title = Tāuruhia he waehere whakaora
recovery-code-lede = Tāuruhia tētahi o ngā waehere whakaora i tāngia, i puritia rānei e koe. Kotahi anake te mahinga o ia waehere.
recovery-code-label = Waehere whakaora
recovery-code-hint = 16 ngā pū me ngā mati, pērā i te 7K3M-Q9XV-2HTD-W0AE. Kāore e mate ki te pato i ngā tohu piri.
recovery-code-error-form = { $count ->
    [0] Tāuruhia he waehere whakaora: 16 ngā pū me ngā mati
   *[other] 16 ngā pū me ngā mati o te waehere whakaora. I tāuru koe i te { $count }
}
recovery-code-error-wrong = { $left ->
    [0] Ehara tērā i tētahi o ō waehere whakaora
   *[other] Ehara tērā i tētahi o ō waehere whakaora. Tirohia tō rārangi hou rawa. E { $left } ngā whakamātau e toe ana
}
recovery-code-error-used = Kua whakamahia kētia taua waehere whakaora. Tāuruhia tētahi atu o tō rārangi

## A passkey.

passkey-title = Whakamahia tō kī uru
passkey-lede = Whakaūngia mā te Face ID, mā tō tapumati, mā te PIN o tō pūrere, mā tō kī haumaru rānei.
passkey-start = Whakamahia he kī uru
passkey-no-script = Kāore e taea e tēnei pūtirotiro te kī uru i konei. Kōwhiria tētahi atu ara.
passkey-failed = Kāore he kī uru i whakamahia. Whakamātau anō, takiuru rānei mā tētahi atu ara. Mehemea kāore ō kī uru i tēnei pūrere, tāpirihia tētahi i tō pūkete ā muri ake; me whai raka mata, he PIN rānei te pūrere.
passkey-error-over = I roa rawa, i tukuna ruatia rānei: whakamahia anō tō kī uru
passkey-error-unknown = Kāore tēnei kī uru e mōhiotia ana i konei. Kua tangohia pea: takiuru mā tētahi atu ara
passkey-error-other-account = Nō tētahi atu pūkete tēnei kī uru: whakamahia tētahi o te pūkete e takiuru nei koe
passkey-error-not-verified = Kāore tō pūrere i hihira ko koe tēnei: whakaritea he raka mata, he PIN rānei, takiuru rānei mā tētahi atu ara
passkey-error-suspicious = He rerekē te whakautu a tēnei kī uru i mua, pērā i tā tētahi tārua: takiuru mā tētahi atu ara, kātahi ka tango i tō pūkete
passkey-error-invalid = Kāore i taea te hihira tēnei kī uru: whakamātau anō, takiuru rānei mā tētahi atu ara
password-passkey = Takiuru mā te kī uru

## Another method.

ways-link = Whakamahia tētahi atu huarahi takiuru
ways-title = Me pēhea koe e haere tonu ai?
ways-lede = Kōwhiria tētahi. Kāore e mate ki te tāuru anō i tō kupuhipa.
ways-email = Tukuna he waehere ki { $address }
ways-email-hint = Ka tukuna e mātou he īmēra me te waehere mati ono.
ways-totp = Taupānga whakamana
ways-totp-hint = Tāuruhia te waehere e whakaatu ana tō taupānga.
ways-passkey = Kī uru
ways-passkey-hint = Whakamahia te Face ID, tō tapumati, te PIN rānei o tō pūrere, he kī haumaru rānei.
ways-recovery-code = Waehere whakaora
ways-recovery-code-hint = Tāuruhia he waehere o te rārangi i tāngia, i puritia rānei e koe.
ways-back = Hoki
ways-none = Ki te kore e taea tētahi o ēnei, tonoa he āwhina.

## Too many wrong codes.

paused-title = Kāore koe e āhei ki te takiuru i tēnei wā
paused-lede = He maha rawa ngā waehere hē. Ka taea e koe te takiuru anō { $when }. Kāore tō pūkete i te raka, ā, kāore he mea i ngaro.
paused-ways = Ngā mea ka taea e koe
paused-way-later = Katia tēnei whārangi, ka takiuru anō i taua wā. Kāore mātou e tuku waehere i mua atu.
paused-way-device = Tērā pea ka mahi tonu tētahi pūtirotiro kua takiuru kē koe i mua.
paused-way-help = Mēnā ehara nāu ngā waehere i tāuru, kei te mōhio tētahi atu ki tō kupuhipa. Tonoa he āwhina.

## Going back to the client.

return-title = Hoki ki { $client }
return-link = Haere tonu ki { $client }

## A new password.

new-title = Kōwhiria he kupuhipa hou
new-lede = Kia haumaru ai tō pūkete me whai kupuhipa hou koe. Kōwhiria tētahi, kātahi koe ka takiuru.
new-account = Wāhitau īmēra
new-label = Kupuhipa hou
new-rule = Kia { $length } pūāhua, neke atu rānei. He kupuhipa pai ngā kupu e whā, e rima rānei, e hono ana ki a koe anake.
new-free = Ka pai te mokowā, ngā pū o ngā reo katoa me ngā tohu. Ka taea te whakapiri mai i tō pūwhakahaere kupuhipa.
new-continue = Tiakina, ka takiuru
new-restart = Tīmata anō
new-cancel = Whakakore
new-error-empty = Tāurutia he kupuhipa hou
new-error-moved = Kua neke tēnei takiurunga, i tētahi atu ripa pea. Kōwhiria tō kupuhipa hou ki konei
new-error-short = He poto rawa te kupuhipa. Kia { $length } pūāhua, neke atu rānei
new-error-long = He roa rawa te kupuhipa. Kia kaua e neke atu i te 128 pūāhua
new-error-common = He noa rawa taua kupuhipa. Kōwhiria tētahi atu
new-error-own = He rite rawa taua kupuhipa ki tō ingoa, ki tō īmēra rānei. Kōwhiria tētahi atu
new-error-repetitive = He tukurua ngā pūāhua torutoru i taua kupuhipa. Kōwhiria tētahi atu
new-error-same = Koirā tō kupuhipa o nāianei. Kōwhiria tētahi atu

## Signed in by another tab.

signed-in-title = Kua takiuru koe
signed-in-lede = I takiuru koe hei { $person } i tētahi atu ripa. Haere tonu ki { $client }.
signed-in-lede-account = I takiuru koe hei { $person } i tētahi atu ripa. Haere tonu ki tō pūkete.
signed-in-continue = Haere tonu

## Consent.

consent-title = Tuari ki { $client }?
consent-lede = Kei te tono a { $client } kia mōhio ki:
consent-openid = mēnā ko koe anō tēnei, i ia takiurunga
consent-profile = tō ingoa me ō taipitopito whaiaro, me te wā i rerekē ai
consent-email = tō wāhitau īmēra, mēnā rānei kua whakaūngia e koe
consent-address = tō wāhitau poutāpeta
consent-phone = tō tau waea
consent-none = (kāore ā mātou i tēnei wā)
consent-privacy = He aha tā { $client } mahi ki ēnei
consent-back = Ki te huri ō whakaaro ā muri ake, tonoa a { $client } kia mukua ngā mea kei a ia.
claim-name = Ingoa
claim-given-name = Ingoa tuatahi
claim-middle-name = Ingoa waenga
claim-family-name = Ingoa whānau
claim-nickname = Ingoa kārangaranga
claim-username = Ingoa kaiwhakamahi
claim-gender = Ira tangata
claim-birthdate = Rā whānau
claim-profile = Whārangi whaiaro
claim-picture = Pikitia
claim-website = Paetukutuku
claim-zone = Rohe wā
claim-language = Reo
claim-email = Wāhitau īmēra
claim-address = Wāhitau poutāpeta
claim-phone = Tau waea
consent-remember = Mēnā ka whakaae koe, ka maumahara mātou ki tō whakautu, ā, kāore e pātai anō mō aua mea.
consent-allow = Whakaae
consent-deny = Kaua e whakaae
confirm-title = Haere tonu ki { $client }?
confirm-text = Haere tonu mēnā nāu anō i whakatuwhera a { $client } ināia tonu nei.
confirm-continue = Haere tonu
confirm-other = Whakamahia tētahi atu pūkete
confirm-cancel = Whakakore
account-lede = Kua takiuru koe hei { $person } ({ $address }).
account-lede-without-address = Kua takiuru koe hei { $person }.

## Signing out.

logout-title = Takiputa?
logout-lede = Kua takiuru koe hei { $person }.
logout-continue = Takiputa
logout-cancel = Noho takiuru tonu
signed-out-title = Kua takiputa koe
signed-out-text = Mēnā he pūrere tuari tēnei, katia hoki tēnei matapihi.
signed-out-not-registered = kāore anō te wāhitau i post_logout_redirect_uri kia rēhitatia mō tēnei kiritaki, nō reira kāore i whāia. Whakatauritea ki "idp client show", pū ki te pū, ka rēhita rānei mā "idp client set" me --post-logout-redirect-uri.
signed-out-without-hint = kāore te wāhitau i post_logout_redirect_uri i whāia, nā te mea kāore i te tono he id_token_hint o tēnei kiritaki ka taea e mātou te hihira. Tukuna te ID token o te takiuru hei id_token_hint, ahakoa kua pau tōna wā.
still-title = Kei te takiuru tonu koe
still-text = Kāore he mea i rerekē. Ka taea e koe te kati i tēnei whārangi.

## Requests without an answer.

failure-reference = Tohutoro
failure-reference-help = Ki te tono āwhina koe, pānuitia tēnei tohutoro.
failure-detail = Mā te kaihanga o te whārangi i tono mai i a koe:
failure-request-title = Kāore e taea te whakaoti i tēnei tono
failure-request-text = I tono te whārangi i tono mai i a koe i tētahi āhua kāore e taea e mātou te whakautu. Hoki atu, ka whakamātau anō. Ki te pērā anō, tēnā koa whakamōhiotia te hunga e whakahaere ana.
failure-start-title = Tēnā koa, tīmata anō
failure-start-text = He tawhito rawa tēnei takiurunga, kua oti kē, i tīmata rānei i tētahi atu pūtirotiro. Hoki atu ki te wāhi i hiahia ai koe ki te haere, ka takiuru mai i reira.
failure-not-found-title = Kāore he whārangi pērā
failure-not-found-text = Kua hē pea te patohanga o te wāhitau. Hoki atu ki te wāhi i ahu mai ai koe.
failure-method-title = Kāore e taea te whakamahi i tēnei whārangi pērā
failure-method-text = Hoki atu ki te wāhi i ahu mai ai koe, ka whakamātau anō.
failure-forbidden-title = Kāore e taea te whakamahi anō i tēnei puka
failure-forbidden-text = Nō tētahi atu pae, he tawhito rawa, i tīmata rānei i mua i te panonitanga o ngā pihikete o tēnei pūtirotiro. Hoki ki te wāhi i hiahia koe, ka takiuru mai i reira.
failure-cookies-title = Kāore tō pūtirotiro e pupuri i tā mātou pihikete
failure-cookies-text = Kāore koe e āhei ki te takiuru me te kore o tēnā. Whakaaetia ngā pihikete mō { $host }, kātahi ka hoki ki te wāhi i hiahia koe, ka takiuru mai i reira.
failure-form-title = Ehara tērā i tētahi o ā mātou puka
failure-form-text = Hoki atu, utaina anō te whārangi, ka whakamātau anō.
failure-large-title = He nui rawa tērā
failure-large-text = He nui ake te puka i te mea ka taea. Hoki atu, ka whakamātau anō kia iti iho.
failure-slow-title = He roa rawa tērā
failure-slow-text = Kāore te puka i tae mai i te wā tika. Tirohia tō hononga, hoki atu, ka whakamātau anō.
failure-speculative-title = I utaina wawetia tēnei whārangi
failure-speculative-text = I utaina e tō pūtirotiro i mua i tō tono, ā, kāore tētahi mea i mahia. Utaina anō te whārangi.
failure-misdirected-title = Nō tētahi atu pae tēnei wāhitau
failure-misdirected-text = Patohia ki tō pūtirotiro te wāhitau o te ratonga e hiahia ana koe.
failure-many-title = He maha rawa ngā tono mai i tō whatunga
failure-many-text = He maha rawa ngā whakamātau mai i tō whatunga. Taihoa mō ētahi meneti, ka whakamātau anō. Kāore tō pūkete i te raka.
failure-many-until-text = He maha rawa ngā whakamātau mai i tō whatunga ({ $network }). Ka taea anō e koe te whakamātau { $when }. Kāore tō pūkete i te raka.
failure-network-title = Kāore e kitea e mātou i ahu mai tēnei tono i hea
failure-network-text = Kei te huna te whatunga i waenga i a tāua i tō wāhitau, i tētahi āhua kāore e taea e mātou te pānui. Whakamātauria anō mā tētahi atu whatunga.
failure-busy-title = He tokomaha ngā tāngata i konei ināianei
failure-busy-text = Taihoa mō ētahi hēkona, ka whakamātau anō. Kāore he mea i ngaro.
failure-away-title = Kāore e taea e mātou tēnā ināianei
failure-away-text = Kāore tētahi wāhanga o tā mātou taha e whakautu ana. Kāore he mea i ngaro: taihoa mō ētahi hēkona, utaina anō tēnei whārangi, hoki atu rānei, ka whakamātau anō.
failure-internal-title = I hē tētahi mea i tō mātou taha
failure-internal-text = Ehara nāu te hē. Taihoa mō te meneti, ka whakamātau anō.
failure-unknown-title = Kāore mātou i te mōhio mēnā i oti tērā
failure-unknown-text = Hoki atu, ka whakamātau anō. Kāore he mea e taea te mahi kia rua ngā wā.

## The pages of an account.

account-title = Tō pūkete
account-name = Ingoa
account-email = Īmēra
account-second = Tō takiuru
account-second-lede = I muri i tō kupuhipa ko te hipanga tuarua: he waehere īmēra, ko tētahi rānei ka tāpirihia i konei. Ka tū te kī uru hei utu mō ngā mea e rua.
account-apps-count = { $count ->
    [0] Karekau
    [one] 1 taupānga
   *[other] { $count } taupānga
}
account-passkeys-count = { $count ->
    [0] Karekau
    [one] 1 kī uru
   *[other] { $count } kī uru
}
account-codes-count = { $count ->
    [0] Karekau e toe ana
    [one] 1 waehere e toe ana
   *[other] { $count } waehere e toe ana
}
account-email-is-on = Ka mahi hoki te waehere īmēra. Ki te kore, kāore e taea e te tangata ka uru ki tō īmēra te takiuru hei a koe.
account-email-is-off = Kāore mātou e tuku waehere īmēra ki a koe.
account-email-turn-off = Kaua he waehere īmēra mōku
account-email-turn-on = Whakaaetia anō ngā waehere īmēra
account-email-off = Mai i nāianei kāore mātou e tuku waehere īmēra ki a koe.
account-email-on = Ka taea anō e koe te takiuru mā te waehere īmēra.
account-email-needed = Me mātua hanga waehere whakaora, me tāpiri rānei i te taupānga tuarua: ki te kore, ka ngaro te waea, ka raka koe ki waho.
account-sign-out = Takiputa
account-back = Hoki ki tō pūkete
account-again = Hei panoni i tētahi mea i konei, takiuru anō. Mā tērā ka noho ki waho te tangata ka kite i tō pūtirotiro tuwhera.
account-again-link = Takiuru anō

apps-title = Taupānga whakamana
apps-lede = He taupānga kei tō waea e whakaatu ana i te waehere hou ia 30 hēkona, kāore he īmēra, kāore he whatunga.
apps-used = I whakamahia whakamutungatia i te { $day }
apps-change = Panonihia “{ $name }”
apps-name-label = Te ingoa o te taupānga, o te waea rānei
apps-name-first = Taku waea
apps-rename = Tiakina te ingoa
apps-remove = Tangohia “{ $name }”
apps-last = Koinei anake tō taupānga. Ki te kore, kāore ō waehere whakaora e mahi, ā, ko te waehere īmēra te hipanga tuarua.
apps-add = Tāpirihia he taupānga
apps-added = Kua tāpirihia te taupānga. Ka taea te whakamahi mai i nāianei.
apps-renamed = Kua tiakina te ingoa.
apps-removed = Kua tangohia te taupānga.
apps-error-code = Kāore i te tika taua waehere. Tāuruhia te waehere e whakaatu ana tō taupānga ināianei
apps-error-many = E { $limit } kē ō taupānga: tangohia tētahi i te tuatahi
apps-error-name = Tāuruhia he ingoa, kia mōhio ai koe ko tēhea tēhea
apps-error-name-unsuitable = Tāuruhia he ingoa, kia 60 ngā pū i te nuinga rawa
apps-error-over = Kāore e taea tērā te whakaoti, nā te mea he roa rawa, i tīmata rānei i wāhi kē, kua panonihia rānei ō huarahi: tāpirihia anō te taupānga mēnā kāore i te rārangi

enrol-title = Tāpirihia he taupānga whakamana
enrol-lede = Me whai taupānga koe pērā i a Google Authenticator, Microsoft Authenticator, Aegis rānei.
enrol-open = Huakina taku taupānga whakamana i tēnei waea
enrol-scan = Matawaihia tēnei ki te taupānga:
enrol-qr = Waehere QR mō tō taupānga whakamana
enrol-by-hand = Kāore e taea e au te matawai
enrol-by-hand-how = I te taupānga, kōwhiria te tāuru i te kī whakarite, ka tārua i tēnei kī. Ko te momo, e ai ki te wā.
enrol-code = Te waehere e whakaatu ana te taupānga ināianei
enrol-confirm = Tāpirihia tēnei taupānga
enrol-cancel = Whakakore

passkeys-title = Ngā kī uru
passkeys-lede = Ka takiuru koe mā te kī uru me te Face ID, tō tapumati, te PIN rānei o tō pūrere: kāore he kupuhipa, kāore he waehere, ā, kāore e riro i te whārangi teka.
passkeys-unused = I tāpirihia i te { $day }, kāore anō kia whakamahia
passkeys-synced = Kei ō pūrere katoa e tiri ana
passkeys-one-device = Kei te pūrere kotahi anake
passkeys-name-label = Te ingoa o te kī uru
passkeys-last = Koinei anake tō tikanga. Ki te kore, kāore ō waehere whakaora e mahi, ā, ko te waehere īmēra te hipanga tuarua.
passkeys-shared = Kaua e mahi i tēnei ki te pūrere e tirihia ana: ka taea e te tangata ka huaki i taua pūrere te takiuru hei a koe.
passkeys-add = Tāpirihia he kī uru ki tēnei pūrere
passkeys-no-script = Kāore e taea e tēnei pūtirotiro te tāpiri kī uru: me mōhio ki te kī uru, me whakahaere hōtuhi.
passkeys-added = Kua tāpirihia te kī uru. Ka taea te takiuru mā tēnei mai i nāianei.
passkeys-removed = Kua tangohia te kī uru. Tangohia hoki i tō pūrere.
passkeys-failed = Kāore he kī uru i hangaia. Whakamātau anō ina rite koe. Me whai raka mata, he PIN rānei tō pūrere.
passkeys-error-known = He kī uru kē tō tēnei pūrere mō tō pūkete.
passkeys-error-many = E { $limit } kē ō kī uru: tangohia tētahi i te tuatahi
passkeys-error-over = Kāore e taea te whakaoti, nā te roa rawa, nā te panoni rānei o ō tikanga: tāpirihia anō te kī uru mehemea kāore i te rārangi
passkeys-error-not-verified = Kāore tō pūrere i hihira ko koe tēnei, nō reira kāore e taea tana kī uru te whakamahi: whakaritea he raka mata, he PIN rānei i te tuatahi
passkeys-error-invalid = Kāore i taea te hihira tēnei kī uru: whakamātau anō
passkeys-error-name = Tāuruhia he ingoa, kia mōhio ai koe ko tēhea tēhea

codes-title = Waehere whakaora
codes-lede = He rārangi o ngā waehere tekau hei pupuri ki te pepa. Ki te ngaro tō waea, ko tētahi o ērā te hipanga tuarua, kia kotahi te wā.
codes-need-method = He whakakapi ngā waehere whakaora mō te taupānga whakamana. Me mātua tāpiri i tētahi.
codes-void = Ki te hangaia he rārangi hou, ka kore te mea tawhito e mahi.
codes-make = Hangaia he rārangi hou

sheet-title = Ō waehere whakaora
sheet-lede = Tāngia tēnei whārangi, tiakina rānei ngā waehere, ka pupuri ki te wāhi ko koe anake ka kite.
sheet-once = Kotahi anake te mahinga o ia waehere. Ki te hangaia he rārangi hou, ka kore tēnei e mahi.
sheet-now = Ka whakaaturia ēnei waehere ināianei anake.
sheet-save = Tiakina hei kōnae
sheet-done = Kua puritia e au: hoki ki taku pūkete
sheet-file-head = Waehere whakaora mō { $brand }, pūkete { $account }

# The month arrives as its English name. The names are those of Te Taura Whiri i te Reo Māori.
clock-day = { $day } { $month ->
    [January] Kohitātea
    [February] Huitanguru
    [March] Poutūterangi
    [April] Paengawhāwhā
    [May] Haratua
    [June] Pipiri
    [July] Hōngongoi
    [August] Hereturikōkā
    [September] Mahuru
    [October] Whiringa-ā-nuku
    [November] Whiringa-ā-rangi
    [December] Hakihea
   *[other] { $month }
} { $year }
