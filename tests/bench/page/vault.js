// What the vault costs: the same client over a database in the clear and over one that is sealed.
import { CoreCryptoClient, sealDatabase } from '/openmls-wasm/dist/index.js'
import { createDatabase, deleteDatabase, fixture, recordsOf } from './fixture.js'
import { interleave, repeat, timed } from './interleave.js'
import { groupOf, plaintext } from './people.js'

const unlock = { kind: 'key', key: new Uint8Array(32).fill(1) }
const modes = { plain: {}, sealed: { vault: { unlock } } }

/** One encrypt, awaited until it is durable. */
export async function vaultAwaited({ durability, blocks, warmUp, perBlock }) {
  const arms = {}
  const clients = []
  for (const [mode, options] of Object.entries(modes)) {
    const name = `vault-${mode}-${durability}`
    const client = await CoreCryptoClient.open({ name, durability, ...options })
    await client.createIdentity(new TextEncoder().encode('alice'))
    const { groupId } = await groupOf(client)
    arms[mode] = () => repeat(perBlock, () => timed(() => client.encryptMessage(groupId, plaintext)))
    clients.push([client, name])
  }
  const results = await interleave(arms, { blocks, warmUp })
  for (const [client, name] of clients) {
    await client.close()
    await deleteDatabase(name)
  }
  return results
}

/** Opening a client in `count` groups, and encrypting in one of them, another each time. */
export async function vaultOpening({ count, durability, blocks, warmUp }) {
  const lists = await fixture('groups')
  const ofGroups = recordsOf(lists.groups)
  const groups = [...new Set(ofGroups.map(({ key }) => key.split('/')[0]))].slice(0, count)
  const there = new Set(groups)
  const records = [...recordsOf(lists.client), ...ofGroups.filter(({ key }) => there.has(key.split('/')[0]))]
  const arms = {}
  for (const [mode, options] of Object.entries(modes)) {
    const name = `vault-groups-${mode}`
    await createDatabase(name, records)
    if (mode === 'sealed') await sealDatabase({ name, unlock, durability: 'relaxed' })
    let turn = 0
    arms[mode] = async () => {
      const hex = groups[(turn += 7919) % groups.length]
      const groupId = Uint8Array.from(hex.match(/../g), (pair) => Number.parseInt(pair, 16))
      let client
      const took = await timed(async () => {
        client = await CoreCryptoClient.open({ name, durability, ...options })
        await client.encryptMessage(groupId, plaintext)
      })
      await client.close()
      return [took]
    }
  }
  return interleave(arms, { blocks, warmUp })
}
