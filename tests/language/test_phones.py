from voicebot.language.phones import PHONE_INDEX, PHONES, SPEECH_PHONES


def test_every_phone_has_a_name_of_its_own():
    assert len(PHONE_INDEX) == len(PHONES)


def test_no_ipa_sign_is_mapped_to_two_phones():
    signs = [sign for phone in PHONES if phone.name in SPEECH_PHONES for sign in phone.covers.split()]
    assert len(signs) == len(set(signs))


def test_silence_and_noise_come_first():
    assert [phone.name for phone in PHONES[:3]] == ["SIL", "NSN", "SPN"]
