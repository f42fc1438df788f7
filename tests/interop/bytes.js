const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const utf8 = (text) => encoder.encode(text)
export const text = (bytes) => decoder.decode(bytes)
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** The wire format of a framed MLSMessage (RFC 9420 §6): 1 for a PublicMessage, 2 for a PrivateMessage. */
export const wireFormat = (message) => (message[2] << 8) | message[3]

/** What everybody exports in every epoch (RFC 9420 §8.5); longer than one hash. */
export const exporter = { label: 'interop', context: utf8('of this test'), length: 48 }
