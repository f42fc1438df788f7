// A member that is ts-mls, another implementation of RFC 9420.
import {
  bytesToBase64, createApplicationMessage, createCommit, createGroup, createGroupInfoWithExternalPubAndRatchetTree,
  createProposal, decodeGroupState, decodeMlsMessage, defaultAuthenticationService, defaultKeyPackageEqualityConfig,
  defaultKeyRetentionConfig, defaultLifetimeConfig, defaultPaddingConfig, emptyPskIndex, encodeGroupState, encodeMlsMessage,
  generateKeyPackage, getCiphersuiteFromName, getCiphersuiteImpl, joinGroup, joinGroupExternal, makePskIndex, mlsExporter,
  processPrivateMessage, processPublicMessage, proposeAddExternal, zeroOutUint8Array,
} from 'ts-mls'
import { exporter, hex, text, utf8 } from './bytes.js'

const suiteName = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'
// What it takes by default is its own random pick of reserved values.
const capabilities = { versions: ['mls10'], ciphersuites: [suiteName], extensions: [], proposals: [], credentials: ['basic'] }
const clientConfig = {
  keyRetentionConfig: defaultKeyRetentionConfig,
  lifetimeConfig: defaultLifetimeConfig,
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  paddingConfig: defaultPaddingConfig,
  authService: defaultAuthenticationService,
}
const day = 24n * 60n * 60n

/** Its default never ends, which others need not accept. */
function lifetime() {
  const now = BigInt(Math.floor(Date.now() / 1000))
  return { notBefore: now - day, notAfter: now + 30n * day }
}

const framed = (message) => encodeMlsMessage({ version: 'mls10', ...message })

function unframed(bytes, ...expected) {
  const [message] = decodeMlsMessage(bytes, 0) ?? []
  if (!expected.includes(message?.wireformat)) throw new Error(`ts-mls reads ${message?.wireformat}, not ${expected.join(' or ')}`)
  return message
}

/**
 * ts-mls 1.6.4 leaves out the length before the key in the extension `external_pub` (RFC 9420 §12.4.3.2: an HPKEPublicKey,
 * `opaque<V>`). Its pull request 449 mends that and is in no release yet; until then it is mended here, where the key is
 * written to and read from the extension.
 */
function withLengthInExternalPub(suite) {
  const { hpke } = suite
  const exportPublicKey = async (key) => {
    const bytes = await hpke.exportPublicKey(key)
    return Uint8Array.of(bytes.length, ...bytes)
  }
  const importPublicKey = (bytes) => hpke.importPublicKey(bytes.length === 33 ? bytes.subarray(1) : bytes)
  return { toWrite: { ...suite, hpke: { ...hpke, exportPublicKey } }, toRead: { ...suite, hpke: { ...hpke, importPublicKey } } }
}

export class TsMlsMember {
  static async open(name, { handshakes }) {
    const member = new TsMlsMember()
    member.name = name
    member.psks = {}
    member.wireAsPublicMessage = handshakes === 'public'
    member.suite = await getCiphersuiteImpl(getCiphersuiteFromName(suiteName))
    return member
  }

  /** Nothing is kept but the bytes of its own codec. */
  async reopen() {
    const saved = encodeGroupState(this.state)
    const [state, read] = decodeGroupState(saved, 0)
    if (read !== saved.length) throw new Error('ts-mls does not read back what it wrote')
    this.state = { ...state, clientConfig }
  }

  async keyPackage() {
    const credential = { credentialType: 'basic', identity: utf8(this.name) }
    this.own = await generateKeyPackage(credential, capabilities, lifetime(), [], this.suite)
    return framed({ wireformat: 'mls_key_package', keyPackage: this.own.publicPackage })
  }

  async createGroup() {
    await this.keyPackage()
    const { publicPackage, privatePackage } = this.own
    this.state = await createGroup(crypto.getRandomValues(new Uint8Array(16)), publicPackage, privatePackage, [], this.suite, clientConfig)
  }

  add(keyPackages) {
    return this.#commit(keyPackages.map((bytes) => ({
      proposalType: 'add',
      add: { keyPackage: unframed(bytes, 'mls_key_package').keyPackage },
    })))
  }

  async join(bytes) {
    const { welcome } = unframed(bytes, 'mls_welcome')
    const { publicPackage, privatePackage } = this.own
    this.state = await joinGroup(welcome, publicPackage, privatePackage, emptyPskIndex, this.suite, undefined, undefined, clientConfig)
  }

  async say(words) {
    const { newState, privateMessage, consumed } = await createApplicationMessage(this.state, utf8(words), this.suite, utf8(`data of ${this.name}`))
    this.#continueWith(newState, consumed)
    return framed({ wireformat: 'mls_private_message', privateMessage })
  }

  /** What it says, which is all that it tells; undefined for a message that cannot be read (again). */
  async hear(message) {
    const result = await this.#process(message).catch((error) => {
      if (error.message !== 'Desired gen in the past') throw error
    })
    return result?.kind === 'applicationMessage' ? { words: text(result.message) } : undefined
  }

  async commit() {
    const { commit } = await this.#commit([])
    return commit
  }

  async storePsk({ id, key }) {
    this.psks[bytesToBase64(id)] = key
  }

  async commitPsk({ id }) {
    const preSharedKeyId = { psktype: 'external', pskId: id, pskNonce: crypto.getRandomValues(new Uint8Array(32)) }
    const { commit } = await this.#commit([{ proposalType: 'psk', psk: { preSharedKeyId } }])
    return commit
  }

  async remove(name) {
    const node = this.state.ratchetTree.findIndex((node) => node?.nodeType === 'leaf' && text(node.leaf.credential.identity) === name)
    const { commit } = await this.#commit([{ proposalType: 'remove', remove: { removed: node / 2 } }])
    return commit
  }

  /** A proposal to be removed. */
  async leave() {
    const proposal = { proposalType: 'remove', remove: { removed: this.state.privatePath.leafIndex } }
    const { newState, message, consumed } = await createProposal(this.state, this.wireAsPublicMessage, proposal, this.suite)
    this.#continueWith(newState, consumed)
    return framed(message)
  }

  async consider(proposal) {
    const before = Object.keys(this.state.unappliedProposals).length
    await this.#process(proposal)
    if (Object.keys(this.state.unappliedProposals).length !== before + 1) throw new Error(`${this.name} gets no proposal`)
  }

  /** A proposal to be added, by somebody who is not in the group. */
  async askToJoin(bytes) {
    const { groupInfo } = unframed(bytes, 'mls_group_info')
    await this.keyPackage()
    const { publicPackage, privatePackage } = this.own
    return framed(await proposeAddExternal(groupInfo, publicPackage, privatePackage, this.suite))
  }

  /** It takes all that are pending into every commit. */
  commitProposals() {
    return this.#commit([])
  }

  /** Processes the commit of another. */
  async follow(commit) {
    const { epoch } = this.state.groupContext
    await this.#process(commit)
    if (await this.isMember() && this.state.groupContext.epoch === epoch) throw new Error(`${this.name} cannot follow`)
  }

  async groupInfo() {
    const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(this.state, [], withLengthInExternalPub(this.suite).toWrite)
    return framed({ wireformat: 'mls_group_info', groupInfo })
  }

  async joinExternally(bytes) {
    const { groupInfo } = unframed(bytes, 'mls_group_info')
    await this.keyPackage()
    const { publicPackage, privatePackage } = this.own
    const suite = withLengthInExternalPub(this.suite).toRead
    const { publicMessage, newState } = await joinGroupExternal(groupInfo, publicPackage, privatePackage, false, suite, undefined, clientConfig)
    this.state = newState
    return framed({ wireformat: 'mls_public_message', publicMessage })
  }

  async isMember() {
    return this.state.groupActiveState.kind === 'active'
  }

  async view() {
    const { groupContext, keySchedule, ratchetTree } = this.state
    const leaves = ratchetTree.filter((node) => node?.nodeType === 'leaf')
    return {
      epoch: String(groupContext.epoch),
      authenticator: hex(keySchedule.epochAuthenticator),
      exported: hex(await mlsExporter(keySchedule.exporterSecret, exporter.label, exporter.context, exporter.length, this.suite)),
      members: leaves.map(({ leaf }) => text(leaf.credential.identity)).sort(),
    }
  }

  async close() {
    this.state = undefined
  }

  async #commit(extraProposals) {
    // OpenMLS wants the tree in the Welcome, and ts-mls has no codec for a tree by itself.
    const options = { wireAsPublicMessage: this.wireAsPublicMessage, extraProposals, ratchetTreeExtension: true }
    const { newState, welcome, commit, consumed } = await createCommit({ state: this.state, cipherSuite: this.suite, pskIndex: this.#pskIndex() }, options)
    const bytes = framed(commit)
    const framedWelcome = welcome && framed({ wireformat: 'mls_welcome', welcome })
    this.#continueWith(newState, consumed)
    return { commit: bytes, welcome: framedWelcome }
  }

  async #process(bytes) {
    const message = unframed(bytes, 'mls_private_message', 'mls_public_message')
    // Not by its `processMessage`: that looks for no pre-shared keys in a PrivateMessage.
    const result = message.wireformat === 'mls_private_message'
      ? await processPrivateMessage(this.state, message.privateMessage, this.#pskIndex(), this.suite)
      : await processPublicMessage(this.state, message.publicMessage, this.#pskIndex(), this.suite)
    this.#continueWith(result.newState, result.consumed)
    return result
  }

  #pskIndex() {
    return makePskIndex(this.state, this.psks)
  }

  #continueWith(state, consumed) {
    consumed.forEach(zeroOutUint8Array)
    this.state = state
  }
}
