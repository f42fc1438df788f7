// A vault on a page: a conversation with oneself and one other, of which everything is known, and what is done to the database.
import * as openmls from 'openmls-wasm'

const bytes = (text) => new TextEncoder().encode(text)
const { CoreCryptoClient } = openmls

/** Every key that WebCrypto was given or has made, though no script could export it. */
const keys = []
const { generateKey, importKey } = SubtleCrypto.prototype
const hex = (of) => Array.from(new Uint8Array(of), (byte) => byte.toString(16).padStart(2, '0')).join('')
SubtleCrypto.prototype.importKey = function (format, key, ...rest) {
  if (format === 'raw' || format === 'pkcs8') keys.push(hex(key.buffer ? key.slice() : key))
  return importKey.call(this, format, key, ...rest)
}
SubtleCrypto.prototype.generateKey = async function (algorithm, extractable, usages) {
  const made = await generateKey.call(this, algorithm, true, usages)
  if (algorithm.name !== 'AES-GCM') return made
  const raw = await crypto.subtle.exportKey('raw', made)
  keys.push(hex(raw))
  return importKey.call(this, 'raw', raw, algorithm, extractable, usages)
}

/** 32 bytes, or a private key in PKCS #8. Public keys have other lengths: they are stored in the clear and may be. */
const isSecret = (key) => key.length === 64 || key.length > 130 + 64

window.openmls = openmls

/** Alice, with the vault, talks to Bob, who is nowhere on the disk in the clear either. @returns what is known of it */
window.converse = async (name, vault, { identity, group, text, bobVault }) => {
  const alice = await CoreCryptoClient.open({ name, ...(vault && { vault }) })
  const bob = await CoreCryptoClient.open({ name: 'bob', vault: bobVault })
  await alice.createIdentity(bytes(identity))
  await bob.createIdentity(bytes('bob'))
  const groupId = bytes(group)
  const [keyPackage] = await bob.generateKeyPackages(1)
  await alice.createGroup(groupId)
  const commit = await alice.addMembers(groupId, [keyPackage])
  await alice.receiveMessage({ bytes: commit.bytes, id: commit.id, position: 1 })
  await bob.joinGroup(commit.welcome)
  await alice.setGroupName(groupId, bytes(text))
  for (let round = 0; round < 20; round += 1) {
    await alice.sendMessage(groupId, bytes(`${text} ${round}`))
    await alice.receiveMessage({ bytes: await bob.encryptMessage(groupId, bytes(`${text}, ${round}`)), id: `${round}` })
  }
  const known = { signature: hex(await alice.exportSignaturePrivateKey()) }
  await Promise.all([alice.close(), bob.close()])
  return { known, keys: [...new Set(keys.filter(isSecret))] }
}

/** What is in a database that can be opened: an answer that must not change. */
window.contents = async (name, vault, group) => {
  const client = await CoreCryptoClient.open({ name, ...(vault && { vault }), mustExist: true })
  const { epoch, members, epochAuthenticator } = await client.groupInfo(bytes(group))
  const inbox = await client.inbox()
  const outbox = await client.outbox()
  const answer = [epoch, members.length, hex(epochAuthenticator), inbox.map(({ id }) => id), outbox.map(({ id }) => id)]
  await client.close()
  return JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
}
window.ready = true
