// A group of three over `openmls-wasm/pq`, with all clients closed and opened again after every step.
import { CoreCryptoClient as OrdinaryClient } from 'openmls-wasm'
import { CoreCryptoClient } from 'openmls-wasm/pq'

const bytes = (text) => new TextEncoder().encode(text)

/** @param {number} suite @returns what the three read, and the sizes in bytes */
window.groupOfThree = async (suite) => {
  const names = ['alice', 'bob', 'carol'].map((name) => `${name}-${suite}`)
  let clients = []
  const reopen = async () => {
    await Promise.all(clients.map((client) => client.close()))
    clients = await Promise.all(names.map((name) => CoreCryptoClient.open({ name })))
  }
  const read = async (client, message) => {
    const { plaintext } = await client.processMessage(message)
    return plaintext && new TextDecoder().decode(plaintext)
  }
  await reopen()
  for (const [index, client] of clients.entries()) await client.createIdentity(bytes(names[index]), suite)
  await reopen()
  const [[first], [second]] = [await clients[1].generateKeyPackages(1), await clients[2].generateKeyPackages(1)]
  await reopen()
  const group = await clients[0].createGroup()
  const add = await clients[0].addMembers(group, [first, second])
  await clients[0].mergePendingCommit(group)
  await reopen()
  for (const client of clients.slice(1)) await client.joinGroup(add.welcome)
  await reopen()
  const hello = await clients[2].encryptMessage(group, bytes('hello'))
  await reopen()
  const texts = [await read(clients[0], hello), await read(clients[1], hello)]
  const remove = await clients[1].removeMembers(group, [2])
  await clients[1].mergePendingCommit(group)
  await reopen()
  for (const client of [clients[0], clients[2]]) await client.processMessage(remove.bytes)
  await reopen()
  const bye = await clients[0].encryptMessage(group, bytes('bye'))
  texts.push(await read(clients[1], bye))
  const infos = await Promise.all(clients.map((client) => client.groupInfo(group)))
  await Promise.all(clients.map((client) => client.close()))
  return {
    texts,
    active: infos.map(({ isActive }) => isActive),
    authenticators: infos.slice(0, 2).map(({ epochAuthenticator }) => epochAuthenticator.join()),
    sizes: [first.length, add.bytes.length, add.welcome.length, remove.bytes.length],
  }
}

/** Opens with the ordinary build what the other has made. @returns what comes of it, and whether all is still there */
window.openWithTheOrdinaryBuild = async (identitySuite, suite) => {
  const name = `other-build-${identitySuite}-${suite}`
  const client = await CoreCryptoClient.open({ name })
  const { signaturePublicKey } = await client.createIdentity(bytes('alice'), identitySuite)
  await client.generateKeyPackagesWith({ ciphersuite: suite })
  await client.close()
  const opened = await OrdinaryClient.open({ name }).then(
    async (ordinary) => {
      const code = await ordinary.keyPackages().then(({ length }) => `${length} key package`, (error) => error.code)
      await ordinary.close()
      return code
    },
    (error) => error.code,
  )
  const again = await CoreCryptoClient.open({ name })
  const kept = (await again.identity()).signaturePublicKey.join() === signaturePublicKey.join() && (await again.keyPackages()).length === 1
  await again.close()
  return { opened, kept }
}
