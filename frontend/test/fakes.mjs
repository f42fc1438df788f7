// Stand-ins for what the sync engine works with: one group, in memory.
export const groupId = Uint8Array.of(0xab)
export const conversation = 'ab'
export const coded = (code) => Object.assign(new Error(code), { code })
export const identity = (address) => new TextEncoder().encode(address)
export const member = (address, leafIndex = 0) => ({ leafIndex, identity: identity(address), signatureKey: new Uint8Array() })

/** An outbox entry of that kind. */
export const entry = (kind, id, more = {}) => ({
  id, kind, sequence: 1, groupId, epoch: 1n, bytes: Uint8Array.of(1), added: [], removed: [], ...more,
})

/** A history that keeps conversations and intentions, and writes down in `calls` what changed. */
export function fakeHistory(calls = []) {
  const conversations = new Map([[conversation, { id: conversation, registered: true, standing: 'member', members: [] }]])
  const intentions = new Map()
  return {
    records: intentions,
    conversations: async () => [...conversations.values()].map((record) => structuredClone(record)),
    conversation: async (id) => structuredClone(conversations.get(id)),
    async createConversation(id, details) {
      calls.push(['history.createConversation', id])
      conversations.set(id, { id, registered: false, standing: 'member', ...details })
      for (const intention of details.intentions ?? []) intentions.set(intention.id, intention)
    },
    async forgetUnmade(id) {
      calls.push(['history.forgetUnmade', id])
      conversations.delete(id)
    },
    async updateConversation(id, change) {
      const record = conversations.get(id)
      const before = JSON.stringify(record)
      if (record !== undefined) change(record)
      return JSON.stringify(record) !== before
    },
    placeLine: async () => {},
    markUnsent: async () => {},
    takeOver: async () => {},
    intentions: async () => structuredClone([...intentions.values()]),
    putIntention: async (intention) => void intentions.set(intention.id, intention),
    dropIntention: async (id) => void intentions.delete(id),
  }
}

/** A crypto client in one group, of epoch 1, that has read the log up to `cursor`. Override what a test is about. */
export function fakeClient(overrides = {}) {
  const client = {
    entries: [],
    cursor: 0,
    active: true,
    epoch: 1n,
    members: [member('bob/1'), member('ann/1', 1)],
    outbox: async () => [...client.entries],
    inbox: async () => [],
    on: () => () => {},
    listGroups: async () => [groupId],
    deliveryCursor: async () => client.cursor,
    groupInfo: async () => ({
      groupId, epoch: client.epoch, ownLeafIndex: 0, isActive: client.active, hasPendingCommit: client.entries.some(({ kind }) => kind === 'commit'),
      pendingProposals: 0, members: client.members,
    }),
    async receiveMessage({ position, id }) {
      if (position > client.cursor + 1) throw coded('position-gap')
      client.cursor = position
      return { kind: 'message', id, groupId }
    },
    drop: (id) => void (client.entries = client.entries.filter((other) => other.id !== id)),
    acknowledgeOutbox: async (id) => client.drop(id),
    rejectCommit: async (id) => client.drop(id),
    rejectOutbox: async (id) => client.drop(id),
    uploadLink: async () => undefined,
    checkWitness: async () => true,
    async addMembers(group, keyPackages, id) {
      const made = entry('commit', id, { added: keyPackages.map((keyPackage) => ({ identity: keyPackage, signatureKey: new Uint8Array() })) })
      client.entries.push(made)
      return made
    },
    deleteGroup: async () => {
      client.listGroups = async () => []
      client.groupInfo = async () => Promise.reject(coded('group-not-found'))
    },
    ...overrides,
  }
  return client
}
