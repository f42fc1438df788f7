// A member that is a CoreCryptoClient, used as an app uses it: outbox, echo of the own commit, inbox.
import { CoreCryptoClient } from 'openmls-wasm'
import { exporter, hex, text, utf8 } from './bytes.js'

export class CoreCryptoMember {
  static async open(name, { handshakes }) {
    const member = new CoreCryptoMember()
    member.name = name
    member.options = {
      name: `interop ${name} ${crypto.randomUUID()}`,
      // ts-mls keeps the keys of four past epochs by default, we of none.
      groupSettings: { wireFormatPolicy: handshakes === 'public' ? 'pure-plaintext' : 'pure-ciphertext', maxPastEpochs: 1 },
    }
    member.client = await CoreCryptoClient.open(member.options)
    await member.client.createIdentity(utf8(name))
    return member
  }

  /** Nothing is kept but the database. */
  async reopen() {
    await this.client.close()
    this.client = await CoreCryptoClient.open({ ...this.options, mustExist: true })
  }

  async keyPackage() {
    const [keyPackage] = await this.client.generateKeyPackages(1)
    return keyPackage
  }

  async createGroup() {
    this.group = await this.client.createGroup()
  }

  async add(keyPackages) {
    return this.#committed(await this.client.addMembers(this.group, keyPackages))
  }

  async join(welcome) {
    const item = await this.#received(this.client.receiveWelcome({ bytes: welcome }))
    if (item.kind !== 'joined') throw new Error(`${this.name} has not joined: ${item.code ?? item.kind}`)
    this.group = item.groupId
  }

  async say(words) {
    const entry = await this.client.sendMessage(this.group, utf8(words), undefined, utf8(`data of ${this.name}`))
    await this.client.acknowledgeOutbox(entry.id)
    await this.#emptyInbox()
    return entry.bytes
  }

  /** What it says, and what else is known of it; undefined for a message that cannot be read (again). */
  async hear(message) {
    return said(await this.#received(this.client.receiveMessage({ bytes: message })))
  }

  /** What came before its epoch, and was kept until that was there. */
  async heardEarly() {
    return (await this.#emptyInbox()).map(said)
  }

  async commit() {
    const { commit } = await this.#committed(await this.client.selfUpdate(this.group))
    return commit
  }

  storePsk({ id, key }) {
    return this.client.storeExternalPsk(id, key)
  }

  async commitPsk({ id }) {
    const proposals = [{ kind: 'external-psk', pskId: id }]
    const { commit } = await this.#committed(await this.client.commit(this.group, { proposals }))
    return commit
  }

  async remove(name) {
    const { members } = await this.client.groupInfo(this.group)
    const { leafIndex } = members.find(({ identity }) => text(identity) === name)
    const { commit } = await this.#committed(await this.client.removeMembers(this.group, [leafIndex]))
    return commit
  }

  /** A proposal to be removed. */
  async leave() {
    const { id, bytes } = await this.client.leaveGroup(this.group)
    await this.client.acknowledgeOutbox(id)
    return bytes
  }

  async consider(proposal) {
    const item = await this.#received(this.client.receiveMessage({ bytes: proposal }))
    if (item?.kind !== 'proposal') throw new Error(`${this.name} gets no proposal: ${item?.code ?? item?.kind}`)
  }

  /** A proposal to be added, by somebody who is not in the group. */
  async askToJoin(groupInfo) {
    const { groupId, epoch } = await this.client.inspectGroupInfo(groupInfo)
    const { id, bytes } = await this.client.proposeJoin({ groupId, epoch }, await this.keyPackage())
    await this.client.acknowledgeOutbox(id)
    return bytes
  }

  async commitProposals() {
    return this.#committed(await this.client.commitPendingProposals(this.group))
  }

  /** Processes the commit of another. */
  async follow(commit) {
    const item = await this.#received(this.client.receiveMessage({ bytes: commit }))
    if (item?.kind !== 'commit' || item.own) throw new Error(`${this.name} cannot follow: ${item?.code ?? item?.kind}`)
  }

  groupInfo() {
    return this.client.exportGroupInfo(this.group)
  }

  async joinExternally(groupInfo) {
    const { commit } = await this.#committed(await this.client.joinByExternalCommit(groupInfo))
    return commit
  }

  async isMember() {
    return (await this.client.groupInfo(this.group)).isActive
  }

  async view() {
    const { epoch, epochAuthenticator, members } = await this.client.groupInfo(this.group)
    return {
      epoch: String(epoch),
      authenticator: hex(epochAuthenticator),
      exported: hex(await this.client.exportSecret(this.group, exporter.label, exporter.context, exporter.length)),
      members: members.map(({ identity }) => text(identity)).sort(),
    }
  }

  close() {
    return this.client.close()
  }

  /** The delivery service has ordered the own commit: its echo merges it, also in a client that was opened again since. */
  async #committed({ id, bytes, welcome }) {
    await this.reopen()
    await this.#received(this.client.receiveMessage({ bytes, id }))
    return { commit: bytes, welcome }
  }

  async #emptyInbox() {
    const items = await this.client.inbox()
    await this.client.acknowledgeInbox(items.map(({ id }) => id))
    return items
  }

  async #received(receiving) {
    const item = await receiving
    if (item !== undefined) await this.client.acknowledgeInbox([item.id])
    return item
  }
}

function said(item) {
  if (item?.kind !== 'message') return undefined
  return { words: text(item.plaintext), sender: text(item.sender.identity), data: text(item.authenticatedData) }
}
