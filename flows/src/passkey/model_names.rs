//! The models of authenticators that are met most, by their AAGUID (WebAuthn Level 3, section 6.5.1). An authenticator may
//! hide its model; then the passkey is named after browser and system.

use std::collections::BTreeMap;

use serde_cbor_2::Value;
use uuid::{Uuid, uuid};

/// Names of models. They are facts, and ours to spell.
const MODELS: [(Uuid, &str); 20] = [
    (uuid!("fbfc3007-154e-4ecc-8c0b-6e020557d7bd"), "Apple Passwords"),
    (uuid!("dd4ec289-e01d-41c9-bb89-70fa845d4bf2"), "iCloud Keychain"),
    (uuid!("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"), "Google Password Manager"),
    (uuid!("adce0002-35bc-c60a-648b-0b25f1f05503"), "Chrome on Mac"),
    (uuid!("08987058-cadc-4b81-b6e1-30de50dcbe96"), "Windows Hello"),
    (uuid!("9ddd1817-af5a-4672-a2b9-3e3dd95000a9"), "Windows Hello"),
    (uuid!("6028b017-b1d4-4c02-b4b3-afcdafc96bb2"), "Windows Hello"),
    (uuid!("53414d53-554e-4700-0000-000000000000"), "Samsung Pass"),
    (uuid!("bada5566-a7aa-401f-bd96-45619a55120d"), "1Password"),
    (uuid!("d548826e-79b4-db40-a3d8-11116f7e8349"), "Bitwarden"),
    (uuid!("531126d6-e717-415c-9320-3d9aa6981239"), "Dashlane"),
    (uuid!("b84e4048-15dc-4dd0-8640-f4f60813c8af"), "NordPass"),
    (uuid!("0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6"), "Keeper"),
    (uuid!("50726f74-6f6e-5061-7373-50726f746f6e"), "Proton Pass"),
    (uuid!("fdb141b2-5d84-443e-8a35-4698c205a502"), "KeePassXC"),
    (uuid!("f3809540-7f14-49c1-a8b3-8f813b225541"), "Enpass"),
    (uuid!("cb69481e-8ff7-4039-93ec-0a2729a154a8"), "YubiKey 5"),
    (uuid!("ee882879-721c-4913-9775-3dfcce97072a"), "YubiKey 5"),
    (uuid!("2fc0579f-8113-47ea-b116-bb5a8db9202a"), "YubiKey 5 NFC"),
    (uuid!("fa2b99dc-9e39-4257-8f92-4a30d23c4118"), "YubiKey 5 NFC"),
];

/// Where the AAGUID is in the authenticator data: after the hash of the RP ID, the flags and the counter (section 6.1).
const AAGUID: std::ops::Range<usize> = 37..53;

/// The name of the model that an attestation object tells.
pub(super) fn of_attestation(attestation_object: &[u8]) -> Option<&'static str> {
    let members: BTreeMap<String, Value> = serde_cbor_2::from_slice(attestation_object).ok()?;
    let Some(Value::Bytes(authenticator_data)) = members.get("authData") else { return None };
    let aaguid = Uuid::from_slice(authenticator_data.get(AAGUID)?).ok()?;
    MODELS.iter().find(|(model, _)| *model == aaguid).map(|(_, name)| *name)
}
