//! Certificates and requests as a certificate authority sees them (RFC 5280, RFC 2986), for Ed25519.
//! Nobody here checks the authority's signature, so it is left empty.

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut encoded = vec![tag];
    match content.len() {
        length @ 0..=127 => encoded.push(length as u8),
        length @ 128..=255 => encoded.extend([0x81, length as u8]),
        length => encoded.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    encoded.extend_from_slice(content);
    encoded
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

fn ed25519() -> Vec<u8> {
    sequence(&[der(0x06, &[0x2b, 0x65, 0x70])])
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    der(0x03, &[&[0], bytes].concat())
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = [
        der(0x06, &[0x55, 0x04, 0x03]),
        der(0x0c, common_name.as_bytes()),
    ];
    sequence(&[der(0x31, &sequence(&attribute))])
}

fn key_info(public_key: &[u8]) -> Vec<u8> {
    sequence(&[ed25519(), bit_string(public_key)])
}

/// A CertificationRequestInfo.
pub fn request_info(common_name: &str, public_key: &[u8]) -> Vec<u8> {
    sequence(&[
        der(0x02, &[0]),
        name(common_name),
        key_info(public_key),
        der(0xa0, &[]),
    ])
}

/// A certification request.
pub fn request(info: &[u8], signature: &[u8]) -> Vec<u8> {
    sequence(&[info.to_vec(), ed25519(), bit_string(signature)])
}

/// A certificate of version 3.
pub fn certificate(common_name: &str, public_key: &[u8]) -> Vec<u8> {
    let time = |time: &str| der(0x17, time.as_bytes());
    let to_be_signed = sequence(&[
        der(0xa0, &der(0x02, &[2])),
        der(0x02, &[1]),
        ed25519(),
        name("Test CA"),
        sequence(&[time("260101000000Z"), time("460101000000Z")]),
        name(common_name),
        key_info(public_key),
    ]);
    sequence(&[to_be_signed, ed25519(), bit_string(&[0; 64])])
}
